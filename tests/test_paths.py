"""Where state is kept."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rigforge import paths
from rigforge.errors import RigforgeError


@pytest.mark.parametrize("name", ["a,b", "a:b", "a\\b", "a\nb"])
def test_a_directory_from_which_no_layer_can_be_mounted_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGFORGE_HOME", f"/tmp/{name}")
    with pytest.raises(RigforgeError, match="comma, colon, backslash or line end"):
        paths.home()


def test_a_wheel_in_a_folder_that_was_removed_says_so(tmp_path: Path) -> None:
    (tmp_path / "packages/rigforge").mkdir(parents=True)
    for name in ("__init__.py", "errors.py", "paths.py"):
        shutil.copy(paths.PACKAGE / name, tmp_path / "packages/rigforge")
    python = [sys.executable, "-P", "-c", "import rigforge.paths"]
    done = subprocess.run(
        ["sh", "-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$@"', "sh", *python],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "packages")},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: the current folder was removed\nhint: go to another one (cd), and begin again\n"
