"""The driver's device files: which there are, their numbers, and for whom the driver makes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rigforge.doctor import modprobe
from rigforge.doctor.machine import Machine

CONTROL, UNIFIED = "nvidiactl", "nvidia-uvm"

#: Names in /proc/devices of what has the number of the GPUs' files; they changed with branch 550.
OF_GPUS = ("nvidia", "nvidiactl", "nvidia-frontend")

_NAME = re.compile(r"nvidia(?:\d{1,3}|ctl|-uvm|-uvm-tools)", re.ASCII)
_OPTIONS = re.compile(r"\bNVreg_(DeviceFile(?:Mode|GID))=(\w{1,10})")


def nodes(machine: Machine) -> list[Path]:
    return sorted(path for path in (machine.root / "dev").glob("nvidia*") if _NAME.fullmatch(path.name))


def numbers(machine: Machine) -> dict[str, int]:
    """Returns the numbers of character devices by the names that their drivers took them under."""
    by_name: dict[str, int] = {}
    for line in machine.text("proc/devices").partition("Block devices")[0].splitlines():
        words = line.split()
        if len(words) == 2 and words[0].isascii() and words[0].isdecimal() and len(words[0]) < 6:
            by_name.setdefault(words[1], int(words[0]))
    return by_name


def mode_and_group(machine: Machine) -> tuple[int, int, str]:
    """Returns mode and group that the driver gives its device files, and the file that sets them, "" for none."""
    values = {"DeviceFileMode": 0o666, "DeviceFileGID": 0}
    set_by = ""
    for name, value, file in (*_of_settings(machine), *_of_module(machine)):
        values[name], set_by = value, file or set_by
    return values["DeviceFileMode"], values["DeviceFileGID"], set_by


def _of_module(machine: Machine) -> Iterator[tuple[str, int, str]]:
    for line in machine.text("proc/driver/nvidia/params").splitlines():
        name, _, value = line.partition(":")
        if name in ("DeviceFileMode", "DeviceFileGID") and (number := _number(value.strip())) is not None:
            yield name, number, ""


def _of_settings(machine: Machine) -> Iterator[tuple[str, int, str]]:
    for line in modprobe.lines(machine.root):
        if line.words[0] == "options":
            for name, value in _OPTIONS.findall(line.text):
                if (number := _number(value)) is not None:
                    yield name, number, line.file


def _number(text: str) -> int | None:
    """Returns a number as the kernel reads it: with a zero before it, octal."""
    try:
        return int(text, 8 if re.fullmatch("0[0-7]+", text) else 0)
    except ValueError:
        return None
