"""Constraints of people, by component: a version ("2.9"), a range (">=12.8"), or for the driver a kind ("lts")."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from rigforge.compat.rules import Driver, Wheel
from rigforge.errors import RigforgeError

Component = Literal["pytorch", "cuda", "cudnn", "driver", "python", "provider", "archives"]

_KINDS = ("lts", "production", "new-feature")
_EXAMPLES = {
    "pytorch": '"2.14", "2.14.1" or ">=2.10,<2.15"',
    "cuda": '"12.8", "13" or ">=12.8"',
    "cudnn": '"9.10" or "9.10.2.21"',
    "driver": '"580", "580-open", "580.178.04", ">=570", "lts", "production" or "new-feature"',
    "python": '"3.12" or ">=3.11"',
    "provider": '"pypi" or "any"',
}
#: "580", "580-open", "580-server-open", "580.178.04".
_DRIVER = re.compile(r"(?P<version>\d+(\.\d+)*)(?P<server>-server)?(-(?P<module>open|proprietary))?", re.ASCII)


@dataclass(frozen=True)
class Constraint:
    """One wish. Of a wish `archives`, `text` names them and `drivers` are the versions that they have.

    `broken` are versions, each with the kernel module of it that does not compile for their kernel.
    """

    component: Component
    text: str
    drivers: tuple[str, ...] = ()
    broken: tuple[tuple[str, str], ...] = ()

    @property
    def named_drivers(self) -> tuple[str, ...]:
        """The drivers' versions that the wish names in full."""
        match = _DRIVER.fullmatch(self.text) if self.component == "driver" else None
        return (*self.drivers, match["version"]) if match and "." in match["version"] else self.drivers

    def __str__(self) -> str:
        return self.text if self.component == "archives" else f'{self.component} = "{self.text}"'

    def allows(self, thing: Driver | Wheel | str) -> bool:
        """Tells whether the wish leaves a driver, a build of PyTorch or a Python (a string) to choose from."""
        match thing:
            case Driver():
                return self._allows_driver(thing)
            case Wheel():
                return self._allows_wheel(thing)
            case _:
                return self.component != "python" or _fits(Version(thing), self.text)

    def _allows_driver(self, driver: Driver) -> bool:
        if self.component == "archives":
            return driver.version in self.drivers and (driver.version, driver.module) not in self.broken
        if self.component != "driver":
            return True
        if self.text in _KINDS:
            return driver.branch.kind == self.text
        match = _DRIVER.fullmatch(self.text)
        if not match:
            return _fits(Version(driver.version), self.text)
        # Of Ubuntu's packages those without a suffix have the proprietary module.
        module = match["module"] or ("proprietary" if match["server"] else driver.module)
        return _fits(Version(driver.version), match["version"]) and driver.module == module

    def _allows_wheel(self, wheel: Wheel) -> bool:
        match self.component:
            case "provider":
                return self.text in ("any", wheel.build.index)
            case "pytorch":
                version, _, index = self.text.partition("+")
                return _fits(wheel.version, version) and index in ("", wheel.build.index)
            case "cuda":
                return _fits(wheel.build.cuda, self.text)
            case "cudnn":
                return _fits(wheel.build.cudnn, self.text)
            case _:
                return True


def parse_constraint(component: Component, text: str, origin: str = "") -> Constraint | None:
    """Returns the wish that a text means; None for "auto" and for no text at all.

    `origin` says where the text is from, for the message. Raises RigforgeError for what is no version, range or kind.
    """
    text = text.strip()
    if text in ("", "auto"):
        return None
    match = _DRIVER.fullmatch(text) if component == "driver" else None
    sound = component == "driver" and (text in _KINDS or bool(match and _is_range(match["version"])))
    if component == "provider":
        sound = text in ("pypi", "any")
    elif not sound:
        sound = _is_range(text.partition("+")[0] if component == "pytorch" else text)
    if not sound:
        where = origin or f"--{component}"
        raise RigforgeError(f"{where} = {text!r} is no version", f"such as {_EXAMPLES[component]}, or auto")
    return Constraint(component, text)


def _is_range(text: str) -> bool:
    try:
        _range(text)
    except ValueError:  # of packaging, or of Python for numbers of thousands of digits
        return False
    return True


@cache
def _fits(version: Version, text: str) -> bool:
    return _range(text).contains(version, prereleases=True)


@cache
def _range(text: str) -> SpecifierSet:
    """Returns "2.9" as ==2.9.*, and what is a range already as it is."""
    if re.match(r"[<>=!~]", text):
        return SpecifierSet(text)
    Version(text)
    return SpecifierSet(f"=={text.removesuffix('.*')}.*")
