"""Python packages of a root: wheels by uv, from the layer's files alone, and bytecode, the same in every build."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePath

from packaging.utils import parse_wheel_filename

from rigforge import guest
from rigforge.layers.root import Root, show

#: Directories of tests within packages.
TESTS = {"test", "tests"}

#: Python else writes the bytecode of what it imports by itself, with the time of the build in it: modules that .pth
#: files name, as setuptools' does.
NO_BYTECODE = {"PYTHONDONTWRITEBYTECODE": "1"}


def install(root: Root, environment: str, site_packages: str) -> None:
    """Installs all wheels of the layer into an environment and compiles them to bytecode."""
    import uv

    tool = root.at("run/uv", follow=False)
    tool.touch()
    show(Path(uv.find_uv_bin()), tool)
    # By name and version: of a wheel given by its path, `pip freeze` would tell the path for ever.
    wheels = sorted("==".join(map(str, parse_wheel_filename(wheel.name)[:2])) for wheel in root.files.glob("*.whl"))
    python = f"{environment}/bin/python"
    root.chroot(
        ["/run/uv", "pip", "install", "--offline", "--no-index", "--no-deps", "--no-cache", "--no-config"]
        + ["--link-mode=copy", "--find-links", "/run/files", "--python", python, *wheels],
        **NO_BYTECODE,
    )
    packages = root.at(site_packages)
    forget_times(packages)
    modules = [source for source in packages.rglob("*.py") if _wants_bytecode(packages, source)]
    compile_modules(root, python, modules)


def forget_times(packages: Path) -> None:
    """Removes what uv notes beside each wheel's metadata: the time at which the wheel's file was made here."""
    for note in guest.glob(packages, "*.dist-info/uv_cache.json"):
        note.unlink()
        record = guest.regular(packages, note.with_name("RECORD").relative_to(packages))
        with record.open(encoding="utf-8", newline="") as file:
            lines = [line for line in file if not line.startswith(f"{note.relative_to(packages)},")]
        with record.open("w", encoding="utf-8", newline="") as file:
            file.writelines(lines)


def _wants_bytecode(packages: Path, source: Path) -> bool:
    """Says whether a module is to be compiled: not where a layer below has it, which would make a second copy, and not
    the packages' own tests."""
    if is_test(source.relative_to(packages)):
        return False
    return not any((source.parent / "__pycache__").glob(f"{source.stem}.*.pyc"))


def compile_modules(root: Root, python: str, modules: Iterable[Path], *, anew: bool = False) -> None:
    """Compiles modules (paths of the root seen from outside) with the root's `python`; `anew` also what is compiled.

    The bytecode is not checked against the sources' times, which the medium does not keep to the second.
    """
    sources = sorted(f"/{module.relative_to(root.path)}" for module in modules)
    root.write("tmp/sources", "\n".join([*sources, ""]))
    compiler = [python, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    # Some packages bring files for other versions of Python; what does not compile is no error.
    argv = ["sh", "-c", '"$@" || true', "sh", *compiler, *(["-f"] if anew else []), "-i", "/tmp/sources"]
    root.chroot(argv, **NO_BYTECODE)


def is_test(path: PurePath) -> bool:
    """Says whether a path within a package is of its own tests: a third of it all, which nobody runs on the machine."""
    return bool(TESTS & {*path.parts})
