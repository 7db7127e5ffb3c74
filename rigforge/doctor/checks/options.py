"""Settings of modprobe and of the kernel's command line that keep a GPU from working, or make it slower."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rigforge.doctor import modprobe
from rigforge.doctor.check import Check, Topic
from rigforge.doctor.machine import Machine

OPTIONS = Topic("driver-options", "A line that somebody left in modprobe.d outlives every new driver.")

COMMAND_LINE = "/proc/cmdline"

#: Bytes of the command line that are read, and characters of a setting that is shown.
_LONGEST, _SHOWN = 1 << 18, 120

#: Modules whose options may stand on the command line, as "nvidia.NAME=VALUE"; there - and _ are the same.
_OF_NVIDIA = re.compile(r"nvidia([-_]\w+)?\.")


@dataclass(frozen=True)
class ModuleSetting:
    """A setting as it is found: of which kind, in which file, in words that the table's patterns are for."""

    where: Literal["kernel", "option", "line"]
    file: str
    text: str


def checks(machine: Machine) -> Iterator[Check]:
    if machine.container:
        yield OPTIONS.not_applicable("the host's, in a container")
    else:
        yield OPTIONS.of(lambda: _options(machine))


def settings(machine: Machine) -> Iterator[ModuleSetting]:
    """Yields what modprobe's files and the kernel's command line say."""
    for word in _words(machine.text(COMMAND_LINE[1:])[:_LONGEST]):
        kind: Literal["kernel", "option"] = "option" if _OF_NVIDIA.match(word) else "kernel"
        yield ModuleSetting(kind, COMMAND_LINE, word)
    for line in modprobe.lines(machine.root):
        yield from _of_line(line)


def _options(machine: Machine) -> Check:
    if not machine.cards:
        return OPTIONS.not_applicable("no NVIDIA GPU on the bus")
    loaded = machine.loaded is not None
    all_settings = tuple(settings(machine))
    troubles = [
        Check(OPTIONS.id, row["status"], f"{_label(setting)}: {row['means']}", OPTIONS.why, _fix(machine, setting))
        for row in _table()
        for setting in all_settings
        if setting.where == row["where"]
        and not (row.get("unloaded") and loaded)
        and re.fullmatch(row["match"], setting.text)
    ]
    return OPTIONS.worst(troubles, "nothing that keeps a GPU from its work")


def _fix(machine: Machine, setting: ModuleSetting) -> str:
    initramfs = "sudo dracut --force" if machine.has("dracut") else "sudo update-initramfs -u"
    if setting.file != COMMAND_LINE:
        return f"take that line out of {setting.file}, then: {initramfs} && sudo reboot"
    word = setting.text[:_SHOWN]
    if machine.has("grubby"):
        return f"sudo grubby --update-kernel=ALL --remove-args={shlex.quote(word)} && sudo reboot"
    return f"take {word} out of /etc/default/grub, then: sudo update-grub && sudo reboot"


def _label(setting: ModuleSetting) -> str:
    return f"{setting.file} has {setting.text[:_SHOWN]}"


def _of_line(line: modprobe.Line) -> Iterator[ModuleSetting]:
    match line.words:
        case ["options", module, *options]:
            yield from (ModuleSetting("option", line.file, f"{modprobe.module(module)}.{option}") for option in options)
        case ["install" | "alias" | "blacklist", *_]:
            yield ModuleSetting("line", line.file, line.text)


def _words(line: str) -> list[str]:
    """Returns the words of a command line, in which quotation marks hold a value together."""
    return re.findall(r'(?:[^\s"]|"[^"]*")+', line)


def _table() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("options.toml").read_text())["setting"]
    return rows
