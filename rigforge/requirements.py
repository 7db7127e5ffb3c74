"""requirements.txt, which bootstrap installs: what pyproject.toml asks for, pinned with hashes."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

from rigforge import paths, process


def pin(*, upgrade: bool, project: Path = paths.PROJECT) -> None:
    """Writes requirements.txt, for every Python that bootstrap takes; versions stay where they fit, unless `upgrade`.

    It holds no word of where the packages came from. Raises RigforgeError with uv's own words.
    """
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    what = ["pip", "compile", "pyproject.toml", "--quiet", "--all-extras"]
    form = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-annotate", "--no-emit-index-url"]
    file = ["--custom-compile-command", "invoke requirements", "--output-file", "requirements.txt"]
    configuration = {name: value for name, value in os.environ.items() if name.startswith("UV_")}
    process.run([uv, *what, *form, *file, *(["--upgrade"] if upgrade else [])], cwd=project, env=configuration)
