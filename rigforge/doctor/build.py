"""Packs the doctor into one file. Runs where Rigforge is installed, never on the machine that is examined."""

from __future__ import annotations

import shutil
import sys
import tempfile
from importlib import resources
from pathlib import Path

from rigforge.errors import RigforgeError
from rigforge.process import run

#: What the program reads besides its code.
DATA = ("compat/*.toml", "doctor/checks/*.toml", "doctor/*.j2", "doctor/load/worker.py")

#: Modules that dependencies name and the doctor never reaches.
UNUSED = ("rich", "docker", "requests", "tkinter", "unittest", "pydoc", "sqlite3", "ssl", "lzma", "bz2")

EPOCH = "1704067200"  # 2024-01-01; a time that changes nothing but is the same each time


def build(folder: Path) -> Path:
    """Returns the program, made in `folder` as `rigforge-doctor`; the same sources give the same bytes.

    It needs the C library of the machine it was built on, or a later one.

    Raises RigforgeError where PyInstaller is not installed, CommandFailed.
    """
    if not resources.files("rigforge").joinpath("doctor/__main__.py").is_file():
        raise RigforgeError("the doctor's source is not part of this installation", "build it in a clone of Rigforge")
    package = Path(str(resources.files("rigforge")))
    data = [file for pattern in DATA for file in sorted(package.glob(pattern))]
    with tempfile.TemporaryDirectory() as temporary:
        # A fixed name for the program's own file: the path of the entry script is in the archive.
        work = Path(temporary)
        entry = work / "rigforge_doctor.py"
        entry.write_text("import sys\n\nfrom rigforge.doctor.__main__ import main\n\nsys.exit(main())\n")
        command = [sys.executable, "-m", "PyInstaller", "--onefile", "--clean", "--noconfirm", "--log-level=WARN"]
        command += ["--name=rigforge-doctor", "--strip", "--paths", str(package.parent)]
        command += [f"--add-data={file}:rigforge/{file.parent.relative_to(package)}" for file in data]
        command += [f"--exclude-module={module}" for module in UNUSED]
        command += ["--specpath", ".", "--workpath", "work", "--distpath", "dist", entry.name]
        run(command, cwd=work, env={"SOURCE_DATE_EPOCH": EPOCH, "PYTHONHASHSEED": "0"})
        folder.mkdir(parents=True, exist_ok=True)
        program = folder / "rigforge-doctor"
        partial = program.with_suffix(".part")
        shutil.copy(work / "dist/rigforge-doctor", partial)
        partial.replace(program)
    return program
