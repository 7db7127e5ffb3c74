"""Files of `rigforge.target`, which run on the machine, in the root of a layer."""

from __future__ import annotations

from importlib import resources

from rigforge.layers.root import Root

_TARGET = resources.files("rigforge.target")


def add(root: Root, file: str, place: str, mode: int = 0o644) -> None:
    """Adds a file of the package at `place`, a path in the root."""
    root.write(place, _TARGET.joinpath(file).read_text(), mode)


def add_modules(root: Root, *modules: str) -> None:
    """Adds modules, as Python programs under /usr/lib/rigforge."""
    for package in ("rigforge", "rigforge/target"):
        root.write(f"usr/lib/rigforge/{package}/__init__.py", "")
    for module in modules:
        add(root, f"{module}.py", f"usr/lib/rigforge/rigforge/target/{module}.py")


def add_units(root: Root, *units: str) -> None:
    """Adds units of the system, enabled where they say what starts them ([Install])."""
    for unit in units:
        add(root, f"units/{unit}", f"etc/systemd/system/{unit}")
    root.chroot(["systemctl", "enable", *units])
