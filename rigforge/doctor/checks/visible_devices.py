"""CUDA_VISIBLE_DEVICES: where it is set, and which GPUs it hides.

A program sees the GPUs that it names, up to the first that is not there; with an empty value, none (CUDA C++
Programming Guide, "CUDA Environment Variables").
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from rigforge.doctor import excerpt, jupyter_kernels, jupyter_units
from rigforge.doctor.check import Check, Topic
from rigforge.doctor.machine import Machine

VISIBLE = Topic("visible-gpus", "What CUDA_VISIBLE_DEVICES hides, no program finds, though nvidia-smi shows it.")

NAME = "CUDA_VISIBLE_DEVICES"

#: Files of a shell, and files of assignments alone; {home} is that of who asks.
_SHELL = (
    *("etc/profile", "etc/profile.d/*.sh", "etc/bash.bashrc", "etc/zsh/zshenv", "etc/zshenv"),
    *("{home}/.profile", "{home}/.bash_profile", "{home}/.bashrc", "{home}/.zshrc", "{home}/.zshenv"),
    *("opt/*/etc/conda/activate.d/*.sh", "opt/conda/envs/*/etc/conda/activate.d/*.sh"),
)
_ASSIGNMENTS = (
    *("etc/environment", "etc/environment.d/*.conf", "usr/lib/environment.d/*.conf"),
    *("etc/security/pam_env.conf", "{home}/.config/environment.d/*.conf", "{home}/.pam_environment"),
)

#: What systemd gives to all its services, and a user's to all of theirs.
_OF_SYSTEMD = tuple(
    f"{folder}/systemd/{name}.conf{more}"
    for folder in ("usr/lib", "etc")
    for name in ("system", "user")
    for more in ("", ".d/*.conf")
)

#: An assignment that is always done: what is indented belongs to a condition or a function.
_SET = re.compile(rf"^(?:export\s+|setenv\s+|declare\s+-x\s+)?{NAME}(?P<equals>=|\s+DEFAULT=)(?P<value>.*)$")
_UNSET = re.compile(rf"^unset\s+(?:\S+\s+)*{NAME}\b")


@dataclass(frozen=True)
class Place:
    """A place that sets the variable, the value, and what takes it out there."""

    name: str
    value: str
    cure: str


def checks(machine: Machine, home: str) -> Iterator[Check]:
    """Yields the check; `home` is the home of who computes on the machine."""
    yield VISIBLE.of(lambda: _visible(machine, home))


def _visible(machine: Machine, home: str) -> Check:
    gpus = max(len(machine.nvml.gpus), 0 if machine.container else len(machine.cards))
    if not gpus:
        return VISIBLE.not_applicable("no GPU that could be hidden")
    places = list(_places(machine, home))
    troubles = [trouble for place in places if (trouble := _trouble(machine, place, gpus))]
    words = "; ".join(f"{place.name}: {NAME}={place.value}" for place in places)
    return VISIBLE.worst(troubles, words or f"all {gpus}, {NAME} is not set")


def _trouble(machine: Machine, place: Place, gpus: int) -> Check | None:
    devices = [word.strip() for word in place.value.split(",")] if place.value.strip() else []
    count = _count(machine, devices, gpus)
    text = f"{NAME}={place.value}" if place.value else f"{NAME} is set to nothing, which"
    if not count:
        return VISIBLE.failed(f"{place.name}: {text} hides every GPU from CUDA", place.cure)
    if count < len(devices):
        measured = (
            f"{place.name}: {text} names {devices[count]!r}, which is no GPU here: CUDA sees only those before it"
        )
        return VISIBLE.warning(measured, place.cure)
    return None


def _count(machine: Machine, devices: Iterable[str], gpus: int) -> int:
    """Returns how many of the named GPUs CUDA sees."""
    uuids = [gpu.uuid for gpu in machine.nvml.gpus if gpu.uuid]
    split_up = any(gpu.mig for gpu in machine.nvml.gpus)
    visible: set[str] = set()
    for word in devices:
        number = word.isascii() and word.isdecimal() and len(word) < 5 and int(word) < gpus
        of_uuid = [uuid for uuid in uuids if word.startswith("GPU-") and uuid.startswith(word)]
        named_otherwise = (
            len(of_uuid) == 1 or (word.startswith("GPU-") and not uuids) or (word.startswith("MIG-") and split_up)
        )
        if word in visible or not (number or named_otherwise):
            break
        visible.add(word)
    return len(visible)


def _places(machine: Machine, home: str) -> Iterator[Place]:
    """Yields each place that sets the variable, with the value that is in force there."""
    if NAME in machine.environment:
        yield Place("the environment", machine.environment[NAME], f"unset {NAME}")
    for path in _matching(machine, _SHELL, home):
        if (value := _last(excerpt.of(machine.root, path))) is not None:
            yield Place(f"/{path}", value, _without(path, home))
    for path in _matching(machine, _ASSIGNMENTS, home):
        if (value := _last(excerpt.of(machine.root, path))) is not None:
            yield Place(f"/{path}", value, _without(path, home))
    for file in jupyter_kernels.files(machine, home):
        path = str(file.relative_to(machine.root))
        with suppress(ValueError, TypeError, KeyError, RecursionError):
            value = json.loads(excerpt.of(machine.root, path))["env"][NAME]
            if isinstance(value, str):
                yield Place(f"/{path}", value, f"take {NAME} out of /{path}, and restart the notebook's kernel")
    for path in _matching(machine, _OF_SYSTEMD, home):
        for line in excerpt.of(machine.root, path).splitlines():
            name, _, words = line.partition("=")
            for value in _assigned(_words(words)) if name.strip() == "DefaultEnvironment" else ():
                yield Place(f"/{path}", value, f"sudo sed -i '/{NAME}/d' /{path} && sudo reboot")
    yield from _units(machine, home)


def _assigned(assignments: Iterable[str]) -> Iterator[str]:
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if name.strip() == NAME and equals:
            yield value.strip().strip("\"'")


def _units(machine: Machine, home: str) -> Iterator[Place]:
    by_unit: dict[str, Place] = {}
    for setting in jupyter_units.settings(machine, home):
        if setting.name == "Environment":
            assignments = [(setting.file, assignment) for assignment in _words(setting.value)]
        elif setting.name == "EnvironmentFile":
            file = setting.value.lstrip("-")
            assignments = [(file, line.strip()) for line in excerpt.of(machine.root, file).splitlines()]
        else:
            continue
        for file, assignment in assignments:
            for value in _assigned([assignment]):
                cure = f"sudo sed -i '/{NAME}/d' {file} && {setting.restart}"
                by_unit[setting.unit] = Place(f"{setting.unit} ({file})", value, cure)
    yield from by_unit.values()


def _matching(machine: Machine, patterns: Iterable[str], home: str) -> Iterator[str]:
    for pattern in patterns:
        if "{home}" in pattern and not home.strip("/"):
            continue
        for file in sorted(machine.root.glob(pattern.format(home=home.strip("/")))):
            yield str(file.relative_to(machine.root))


def _last(text: str) -> str | None:
    """Returns the value with which lines of a shell leave the variable; None for none, or where only running tells."""
    value = None
    for line in text.splitlines():
        if match := _SET.match(line):
            words = _words(match["value"].replace(";", " "), comments=True)
            value = words[0] if words else ""
        elif _UNSET.match(line):
            value = None
    return None if value is None or "$" in value or "`" in value else value


def _words(text: str, *, comments: bool = False) -> list[str]:
    try:
        return shlex.split(text, comments=comments)
    except ValueError:
        return text.split()


def _without(path: str, home: str) -> str:
    sudo = "" if home.strip("/") and path.startswith(f"{home.strip('/')}/") else "sudo "
    return f"{sudo}sed -i '/{NAME}/d' /{path}, then log in again"
