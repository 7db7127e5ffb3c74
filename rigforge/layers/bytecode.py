"""Bytecode of Python packages, the same in every build."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePath

from rigforge.layers.root import Root

#: Directories of tests within packages.
TESTS = {"test", "tests"}

#: Python else writes the bytecode of what it imports by itself, with the time of the build in it: modules that .pth
#: files name, as setuptools' does.
NO_BYTECODE = {"PYTHONDONTWRITEBYTECODE": "1"}


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
