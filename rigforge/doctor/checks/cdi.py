"""The specifications of the Container Device Interface against the driver that is loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rigforge.doctor import excerpt
from rigforge.doctor.check import Check, Topic
from rigforge.doctor.machine import Machine

CDI = Topic(
    "container-cdi", "A CDI specification names the driver's files by version: after an upgrade they are not there."
)

#: Where engines look, the lowest first: of a device that two describe, the later folder's counts (SPEC.md of
#: https://github.com/cncf-tags/container-device-interface; only .json and .yaml are read).
FOLDERS = ("etc/cdi", "var/run/cdi", "run/cdi")
_SUFFIXES = (".json", ".yaml")

#: Bytes of a specification that are read; one of 16 GPUs has some 50 KiB.
_LONGEST = 1 << 20

_KIND = re.compile(r"""\bkind["']?\s*:\s*["']?nvidia\.com/gpu\b""")
#: The driver's version, where its files bear it: libcuda.so.580.95.05, /lib/firmware/nvidia/580.95.05/gsp_ga10x.bin.
_VERSION = re.compile(r"(?:\.so\.|/nvidia/)(\d{3,4}\.\d{1,4}(?:\.\d{1,4})?)(?![\d.]*\d)", re.ASCII)
_LIBCUDA = re.compile(r"""\bhostPath["']?\s*:\s*["']?(/[^\s"',]*/libcuda\.so\.[\d.]+)""", re.ASCII)
_ALL = re.compile(r"""\bname["']?\s*:\s*["']?all\b""")


@dataclass(frozen=True)
class Specification:
    """A file that describes NVIDIA's GPUs: the drivers' versions that it names, and where it says libcuda is."""

    path: str
    versions: frozenset[str]
    libcuda: tuple[str, ...]
    all_gpus: bool
    broken: bool

    @property
    def folder(self) -> str:
        return "/run/cdi" if "run/" in self.path else "/etc/cdi"


def checks(machine: Machine) -> Iterator[Check]:
    if machine.container:
        yield CDI.not_applicable("this is a container")
    else:
        yield CDI.of(lambda: _cdi(machine))


def specifications(machine: Machine) -> tuple[Specification, ...]:
    """Returns the specifications for NVIDIA's GPUs that engines read, those that count more last."""
    files: dict[Path, Path] = {}
    for folder in FOLDERS:
        for file in sorted((machine.root / folder).glob("*")):
            if file.suffix in _SUFFIXES and file.is_file():
                files.setdefault(file.resolve(), file)
    paths = [f"/{file.relative_to(machine.root)}" for file in files.values()]
    contents = ((path, excerpt.of(machine.root, path, most=_LONGEST)) for path in paths)
    return tuple(_read(path, text) for path, text in contents if _KIND.search(text))


def _cdi(machine: Machine) -> Check:
    loaded = machine.loaded
    files = specifications(machine)
    if not files:
        return CDI.not_applicable("no CDI specification for NVIDIA's GPUs")
    if not loaded:
        return CDI.not_applicable("no driver is loaded to compare it with")
    troubles = [trouble for one in files if (trouble := _one(machine, one, files, loaded.version))]
    for folder in ("/etc/cdi", "/run/cdi"):
        twice = [one.path for one in files if one.folder == folder and one.all_gpus]
        if len(twice) > 1:
            measured = f"{' and '.join(twice)} both describe nvidia.com/gpu=all, so that engines refuse it"
            troubles.append(CDI.failed(measured, f"sudo rm {twice[0]}"))
    return CDI.worst(troubles, ", ".join(f"{one.path}{_of(one)}" for one in files))


def _one(machine: Machine, one: Specification, others: tuple[Specification, ...], loaded: str) -> Check | None:
    if one.broken:
        return CDI.failed(f"{one.path} is no JSON, engines leave it out", _cure(machine, one))
    if one.versions and loaded not in one.versions:
        measured = f"the CDI specification {one.path} is of driver {_label(one)}, loaded is {loaded}"
        if any(loaded in other.versions and other.folder > one.folder for other in others):
            return CDI.warning(f"{measured}; the one in /run/cdi goes before it", f"sudo rm {one.path}")
        return CDI.failed(measured, _cure(machine, one))
    if missing := [path for path in one.libcuda if not _exists(machine, path)]:
        measured = f"the CDI specification {one.path} names {missing[0]}, which is not there"
        return CDI.failed(measured, _cure(machine, one))
    return None


def _cure(machine: Machine, one: Specification) -> str:
    """Returns the command that writes a specification again, by whom this machine has for it."""
    for unit in ("rigforge-cdi", "nvidia-cdi-refresh"):
        places = ("etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")
        if any((machine.root / place / f"{unit}.service").exists() for place in places):
            # Those write to /run/cdi: another file stays as it is.
            remove = f"sudo rm {one.path} && " if one.folder == "/etc/cdi" else ""
            return f"{remove}sudo systemctl restart {unit}"
    return f"sudo nvidia-ctk cdi generate --output={one.path}"


def _read(path: str, text: str) -> Specification:
    return Specification(
        path,
        frozenset(_VERSION.findall(text)),
        tuple(dict.fromkeys(_LIBCUDA.findall(text))),
        bool(_ALL.search(text)),
        path.endswith(".json") and not _is_json(text),
    )


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _exists(machine: Machine, path: str) -> bool:
    # A link's target counts from the machine's own root, so that only the name is looked for.
    file = machine.root / path.lstrip("/")
    return file.is_symlink() or file.exists()


def _label(one: Specification) -> str:
    return ", ".join(sorted(one.versions)[:3])


def _of(one: Specification) -> str:
    return f" of driver {_label(one)}" if one.versions else ""
