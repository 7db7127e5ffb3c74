"""The services that run notebooks, as systemd's files describe them: their own, with what was dropped in later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rigforge.doctor import excerpt
from rigforge.doctor.machine import Machine

#: Later ones go before earlier ones (systemd.unit(5)).
_SYSTEM = ("usr/lib/systemd/system", "lib/systemd/system", "etc/systemd/system", "run/systemd/system")
_USER = ("usr/lib/systemd/user", "etc/systemd/user", "{home}/.config/systemd/user")

#: How services that run notebooks are called: JupyterLab, JupyterHub, "notebook".
_NAMES = ("*jupyter*", "*notebook*")


@dataclass(frozen=True)
class UnitSetting:
    """A line of the section [Service], as `name=value`, and the unit and the file that has it.

    The unit's name has "--user " before it where it is of a user's own systemd.
    """

    unit: str
    file: str
    name: str
    value: str

    @property
    def restart(self) -> str:
        """The command by which a change is in force."""
        scope, _, unit = self.unit.rpartition(" ")
        sudo = f"systemctl {scope}" if scope else "sudo systemctl"
        return f"{sudo} daemon-reload && {sudo} restart {unit.removesuffix('.service')}"


def settings(machine: Machine, home: str) -> Iterator[UnitSetting]:
    """Yields the settings of all such services, in the order in which systemd reads them."""
    for folders, scope in ((_SYSTEM, ""), (_USER, "--user ")):
        files = [file for folder in folders for file in _files(machine.root / folder.format(home=home.strip("/")))]
        # What is dropped in comes after the unit itself.
        for file in sorted(files, key=lambda file: file.parent.suffix == ".d"):
            unit = file.parent.name.removesuffix(".d") if file.parent.suffix == ".d" else file.name
            path = str(file.relative_to(machine.root))
            for name, value in _service(excerpt.of(machine.root, path)):
                yield UnitSetting(f"{scope}{unit}", f"/{path}", name, value)


def _files(folder: Path) -> Iterator[Path]:
    for name in _NAMES:
        yield from sorted(folder.glob(f"{name}.service"))
        yield from sorted(folder.glob(f"{name}.service.d/*.conf"))


def _service(text: str) -> Iterator[tuple[str, str]]:
    section = ""
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("["):
            section = line.strip()
        elif section == "[Service]" and not line.lstrip().startswith(("#", ";")):
            name, equals, value = line.partition("=")
            if equals:
                yield name.strip(), value.strip()
