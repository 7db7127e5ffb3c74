"""Packs the doctor into one file. Runs where Rigforge is installed, never on the machine that is examined."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rigforge import atomic, closure
from rigforge.doctor import driver_api
from rigforge.errors import RigforgeError
from rigforge.process import run

PROGRAM = "rigforge-doctor"

#: What the program reads besides its code, as patterns within the package.
DATA = ("compat/*.toml", "compat/probe.py", "doctor/**/*.toml", "doctor/**/*.j2", "doctor/workload/worker.py")

#: Its code: these, and all that they import.
MODULES = ("rigforge.doctor.__main__", "rigforge.doctor.driver_api")

#: Distribution packages that packing needs: the interpreter whose copy the program holds, and objcopy and strip.
DEBS = ("binutils", "python3")

#: PyInstaller, and what the doctor imports.
WHEELS = ("jinja2", "nvidia-ml-py", "packaging", "pydantic", "pyinstaller", 'tomli; python_version < "3.11"')

#: Modules that dependencies name and the doctor never reaches.
UNUSED = (
    *("rich", "docker", "requests", "mypy", "setuptools", "tkinter", "unittest", "pydoc", "sqlite3", "ssl", "lzma"),
    *("bz2", "readline"),
)

EPOCH = "1704067200"  # 2024-01-01; a time that changes nothing but is the same each time

#: The child that asks CUDA begins without what the doctor reads. Ubuntu 22.04's Python has no tomllib yet.
ENTRY = f"""\
import sys

if sys.argv[1:2] == ["{driver_api.WORD}"]:
    from rigforge.doctor.driver_api import main as ask

    ask(sys.argv[2:])

try:
    import tomllib
except ModuleNotFoundError:
    import tomli

    sys.modules["tomllib"] = tomli

from rigforge.doctor.__main__ import main

sys.exit(main())
"""


def build(folder: Path) -> Path:
    """Returns the program, packed in `folder` with the running Python; the same sources give the same bytes.

    It needs the C library that this Python was linked with, or a later one.

    Raises RigforgeError where the sources are not installed, CommandFailed where PyInstaller is not.
    """
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        # A cache of its own: the common one is emptied under another build that runs at the same time.
        env = {"SOURCE_DATE_EPOCH": EPOCH, "PYTHONHASHSEED": "0", "PYINSTALLER_CONFIG_DIR": str(work / "cache")}
        run([sys.executable, "-m", "PyInstaller", *lay_out(work)], cwd=work, env=env)
        return place(work / "dist" / PROGRAM, folder)


def place(packed: Path, folder: Path) -> Path:
    """Copies a program that was made elsewhere into `folder`, whole or not at all, and returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / PROGRAM
    with atomic.making(program) as new:
        shutil.copy(packed, new)
    return program


def lay_out(work: Path) -> tuple[str, ...]:
    """Copies the sources into `work` and returns PyInstaller's arguments, which hold there; it makes dist/PROGRAM.

    Raises RigforgeError where the sources are not installed.
    """
    if not (closure.PACKAGE / "doctor/__main__.py").is_file():
        raise RigforgeError("the doctor's source is not part of this installation", "build it in a clone of Rigforge")
    for source in (*closure.with_folders(closure.files(*MODULES)), *data_files(closure.PACKAGE, DATA)):
        copy = work / "rigforge" / source.relative_to(closure.PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(source.read_bytes())
    # The entry's name and the paths of the data are in the archive, so that they are relative ones.
    (work / "rigforge_doctor.py").write_text(ENTRY)
    data = [file.relative_to(work) for file in data_files(work / "rigforge", DATA)]
    return (
        *("--onefile", "--clean", "--noconfirm", "--log-level=WARN", f"--name={PROGRAM}", "--strip", "--paths=."),
        *(f"--add-data={file}:{file.parent}" for file in data),
        *(f"--exclude-module={module}" for module in UNUSED),
        *("--specpath=.", "--workpath=work", "--distpath=dist", "rigforge_doctor.py"),
    )


def data_files(package: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    """Yields the files of a package that match patterns, in the same order everywhere."""
    for pattern in patterns:
        yield from sorted(package.glob(pattern))
