"""What is left of the installation of wheels, as uv itself does it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import uv

from rigforge.layers.wheels import forget_times
from tests.sources.wheel_index import WheelIndex


def installed(index: WheelIndex, target: Path) -> dict[str, bytes]:
    """Installs the wheel `idna` of an index as `install` does, and returns its files by their paths."""
    options = ["--offline", "--no-index", "--no-deps", "--no-cache", "--no-config", "--link-mode=copy"]
    place = ["--find-links", index.path / "files", "--python", sys.executable, "--target", target]
    subprocess.run([uv.find_uv_bin(), "pip", "install", *options, *place, "idna==3.20"], check=True)
    forget_times(target)
    return {str(file.relative_to(target)): file.read_bytes() for file in target.rglob("*") if file.is_file()}


def test_when_the_files_of_wheels_were_made_is_forgotten(tmp_path: Path) -> None:
    index = WheelIndex(tmp_path / "index")
    wheel = index.add("idna", "3.20")
    first = installed(index, tmp_path / "first")
    time.sleep(0.01)
    wheel.chmod(0o600)
    assert installed(index, tmp_path / "second") == first


def test_the_record_lists_what_is_there_and_nothing_else(tmp_path: Path) -> None:
    index = WheelIndex(tmp_path / "index")
    index.add("idna", "3.20")
    files = installed(index, tmp_path / "target")
    listed = [line.partition(",")[0] for line in files["idna-3.20.dist-info/RECORD"].decode().splitlines()]
    assert sorted(listed) == sorted(name for name in files if "dist-info" in name)


def test_a_wheel_is_not_told_by_the_path_it_came_from(tmp_path: Path) -> None:
    """`pip freeze` would give that path, which exists nowhere, instead of a version."""
    index = WheelIndex(tmp_path / "index")
    index.add("idna", "3.20")
    assert "idna-3.20.dist-info/direct_url.json" not in installed(index, tmp_path / "target")
