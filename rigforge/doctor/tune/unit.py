"""A setting that lasts: one systemd unit for each GPU, named after its UUID, which a card keeps in any slot."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from string import Template

from rigforge import atomic
from rigforge.doctor.machine import Machine
from rigforge.doctor.tune.setting import TuneSetting
from rigforge.errors import RigforgeError

FOLDER = "etc/systemd/system"
PREFIX = "rigforge-power-limit-"

#: Seconds; without persistence mode the driver starts for each nvidia-smi.
PATIENCE = 60.0

_UNIT = Template("""\
# Written by `rigforge-doctor tune --apply`; `rigforge-doctor tune --undo` takes it away.
[Unit]
Description=$setting for the GPU $uuid
# The driver forgets the setting when the last program that uses it ends, unless something keeps it loaded.
Wants=nvidia-persistenced.service
After=nvidia-persistenced.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=$program --id=$uuid $option

[Install]
WantedBy=multi-user.target
""")


def check(machine: Machine) -> None:
    """Raises RigforgeError where no unit could be installed, before minutes are spent on measuring."""
    for program, package in (("systemctl", "systemd"), ("nvidia-smi", "the driver")):
        if not machine.has(program):
            raise RigforgeError(
                f"--apply: there is no {program}", f"it comes with {package}; run this on the machine itself"
            )
    folder = machine.root / FOLDER
    if not os.access(folder, os.W_OK):
        raise RigforgeError(f"--apply: {folder} cannot be written", "sudo rigforge-doctor tune --apply")


def path(machine: Machine, uuid: str) -> Path:
    return machine.root / FOLDER / f"{PREFIX}{uuid}.service"


def applied(machine: Machine) -> Iterator[tuple[str, Path]]:
    """Yields the GPUs that have a unit, by UUID."""
    for file in sorted((machine.root / FOLDER).glob(f"{PREFIX}*.service")):
        yield file.stem.removeprefix(PREFIX), file


def install(machine: Machine, uuid: str, setting: TuneSetting) -> Path:
    """Writes the unit, starts it now and at each boot. Raises RigforgeError, and then all is as it was before."""
    file = path(machine, uuid)
    before = file.read_bytes() if file.exists() else None
    option = f"--power-limit={setting.value}" if setting.kind == "power" else f"--lock-gpu-clocks=0,{setting.value}"
    program = shutil.which("nvidia-smi", path=machine.path) or "nvidia-smi"
    text = _UNIT.substitute(setting=setting, uuid=uuid, program=program, option=option)
    _write(file, text.encode())
    try:
        for words in (("daemon-reload",), ("enable", file.name), ("restart", file.name)):
            _systemctl(machine, *words)
    except RigforgeError:
        if before is None:
            remove(machine, file)
        else:
            _write(file, before)
            with suppress(RigforgeError):
                _systemctl(machine, "daemon-reload")
        raise
    return file


def remove(machine: Machine, file: Path) -> None:
    """Takes the unit away. Raises RigforgeError."""
    machine.ask("systemctl", "disable", "--now", file.name, seconds=PATIENCE)
    try:
        file.unlink()
    except OSError as error:
        raise RigforgeError(
            f"{file} cannot be removed: {error.strerror}", "sudo rigforge-doctor tune --undo"
        ) from error
    machine.ask("systemctl", "daemon-reload", seconds=PATIENCE)


def _systemctl(machine: Machine, *words: str) -> None:
    answer = machine.ask("systemctl", *words, seconds=PATIENCE)
    if not answer or answer.code:
        complaint = answer.complaint if answer else f"it did not answer within {PATIENCE:.0f} s"
        unit = words[-1] if len(words) > 1 else ""
        raise RigforgeError(
            f"systemctl {' '.join(words)}: {complaint}", f"journalctl --unit {unit}" if unit else "see above"
        )


def _write(file: Path, content: bytes) -> None:
    try:
        atomic.write(file, content, 0o644)
    except OSError as error:
        raise RigforgeError(
            f"{file} cannot be written: {error.strerror}", "sudo rigforge-doctor tune --apply"
        ) from error
