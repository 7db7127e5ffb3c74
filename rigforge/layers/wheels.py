"""Wheels into the Python environment of a root, by uv, from the layer's files alone."""

from __future__ import annotations

from pathlib import Path

from packaging.utils import parse_wheel_filename

from rigforge import guest
from rigforge.layers.bytecode import NO_BYTECODE, compile_modules, is_test
from rigforge.layers.root import Root, show


def install(root: Root) -> None:
    """Installs all wheels of the layer and compiles them to bytecode."""
    import uv

    tool = root.at("run/uv", follow=False)
    tool.touch()
    show(Path(uv.find_uv_bin()), tool)
    # By name and version: of a wheel given by its path, `pip freeze` would tell the path for ever.
    wheels = sorted("==".join(map(str, parse_wheel_filename(wheel.name)[:2])) for wheel in root.files.glob("*.whl"))
    python = f"{root.options['environment']}/bin/python"
    root.chroot(
        ["/run/uv", "pip", "install", "--offline", "--no-index", "--no-deps", "--no-cache", "--no-config"]
        + ["--link-mode=copy", "--find-links", "/run/files", "--python", python, *wheels],
        **NO_BYTECODE,
    )
    packages = root.at(root.options["site_packages"])
    forget_times(packages)
    modules = [source for source in packages.rglob("*.py") if _wants_bytecode(packages, source)]
    compile_modules(root, python, modules)


def forget_times(packages: Path) -> None:
    """Removes what uv notes beside each wheel's metadata: the time at which the wheel's file was made here."""
    for note in guest.glob(packages, "*.dist-info/uv_cache.json"):
        note.unlink()
        record = guest.regular(packages, note.with_name("RECORD").relative_to(packages))
        with record.open(encoding="utf-8", newline="") as file:
            kept = [line for line in file if not line.startswith(f"{note.relative_to(packages)},")]
        with record.open("w", encoding="utf-8", newline="") as file:
            file.writelines(kept)


def _wants_bytecode(packages: Path, source: Path) -> bool:
    """Says whether a module is to be compiled: not where a layer below has it, which would make a second copy, and not
    the packages' own tests."""
    if is_test(source.relative_to(packages)):
        return False
    return not any((source.parent / "__pycache__").glob(f"{source.stem}.*.pyc"))
