"""The command that runs the image tests against a machine or a container."""

from __future__ import annotations

import sys
from pathlib import Path

from rigforge import extras
from rigforge.paths import SHARE

FOLDER = SHARE / "image_tests"


def command(host: str, expectations: Path, results: Path) -> list[str]:
    """Returns the program and its arguments; `host` is testinfra's name for what is tested, `results` a JUnit file.

    Raises RigforgeError where pytest is not installed.
    """
    extras.need("verify")
    pytest = [sys.executable, "-P", "-m", "pytest", str(FOLDER), "-o", "addopts=", "-p", "no:cacheprovider", "-v"]
    return [*pytest, f"--hosts={host}", f"--expectations={expectations}", f"--junit-xml={results}"]
