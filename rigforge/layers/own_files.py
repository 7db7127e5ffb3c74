"""Files of this package in the root of a layer: programs that run on the medium or the machine, and their units."""

from __future__ import annotations

from rigforge import closure
from rigforge.layers.root import Root


def add(root: Root, file: str, place: str, mode: int = 0o644) -> None:
    """Adds a file of the package at `place`, a path in the root."""
    root.write(place, (closure.PACKAGE / file).read_text(), mode)


def add_modules(root: Root, *modules: str) -> None:
    """Adds modules and all that they import, as the package `rigforge` under /usr/lib/rigforge."""
    for file in closure.with_folders(closure.files(*modules)):
        path = file.relative_to(closure.PACKAGE)
        # The package's own says which version of the builder made the layer, which must not change its bytes.
        text = "" if str(path) == "__init__.py" else file.read_text()
        root.write(f"usr/lib/rigforge/rigforge/{path}", text)


def add_units(root: Root, folder: str, *units: str, enabled: bool = True) -> None:
    """Adds systemd's units from a folder of the package; `enabled`: where they say what starts them ([Install])."""
    for unit in units:
        add(root, f"{folder}/units/{unit}", f"etc/systemd/system/{unit}")
    if enabled:
        root.chroot(["systemctl", "enable", *units])
