"""Wheels into the Python environment of a root, by uv, from the layer's files alone."""

from __future__ import annotations

from pathlib import Path

from rigforge.layers.root import Root
from rigforge.process import run

#: Directories of tests within packages.
TESTS = {"test", "tests"}


def install(root: Root) -> None:
    """Installs all wheels of the layer and compiles them to bytecode.

    The bytecode is not checked against the sources' times, which the medium does not keep to the second.
    """
    import uv

    tool = root.path / "run/uv"
    tool.touch()
    run(["mount", "--bind", Path(uv.find_uv_bin()), tool])
    wheels = sorted(f"/run/files/{wheel.name}" for wheel in root.files.glob("*.whl"))
    python = f"{root.options['environment']}/bin/python"
    root.chroot(
        ["/run/uv", "pip", "install", "--offline", "--no-index", "--no-deps", "--no-cache", "--no-config"]
        + ["--link-mode=copy", "--python", python, *wheels]
    )
    packages = root.path / root.options["site_packages"].lstrip("/")
    modules = [source for source in packages.rglob("*.py") if _wants_bytecode(packages, source)]
    sources = sorted(f"/{module.relative_to(root.path)}" for module in modules)
    root.write("tmp/sources", "\n".join([*sources, ""]))
    compiler = [python, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    # Some packages bring files for other versions of Python; what does not compile is no error.
    root.chroot(["sh", "-c", '"$@" || true', "sh", *compiler, "-i", "/tmp/sources"])


def _wants_bytecode(packages: Path, source: Path) -> bool:
    """Says whether a module is to be compiled: not where a layer below has it, which would make a second copy, and not
    the packages' own tests, a third of it all, which nobody runs on the machine."""
    if TESTS & {*source.relative_to(packages).parts}:
        return False
    return not any((source.parent / "__pycache__").glob(f"{source.stem}.*.pyc"))
