"""Images with CUDA 13: nvcc compiles in them, and they tell of a driver that is too old for it (15 minutes)."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from rigforge.lock.model import read
from rigforge.paths import home
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.load import load
from rigforge.store.store import Store
from rigforge.verify import driver
from tests.end_to_end.chain import OUT, rigforge, usable

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("daemon")]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> str:
    copy = shutil.copy(Path(__file__).with_name("cuda-13.toml"), tmp_path_factory.mktemp("cuda-13"))
    rigforge("lock", "--stack", copy)
    return str(copy)


def test_the_images_pass_their_tests(stack: str) -> None:
    """Among them those that compile a program with nvcc."""
    reports = json.loads(rigforge("verify-images", "--stack", stack, "--out", OUT / "images", "--json"))
    assert [(report["image"], report["failed"]) for report in reports] == [("base", 0), ("runtime", 0), ("dev", 0)]


def test_a_real_driver_that_is_too_old_is_told(stack: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    old = load(usable("debian-12", tmp_path))
    lock = read(old.lock_path)
    driver.unpack(old, lock, Store(home() / "store"), Mirrors.from_environment(), tmp_path)
    volumes = [word for place, file in driver.mounts(tmp_path) for word in ("--volume", f"{file}:{place}:ro")]
    build = ("build-images", "--stack", stack, "--image", "base", "--load", "--engine", "docker")
    image = rigforge(*build, "--out", OUT / "images").split()[1]
    told = subprocess.run(["docker", "run", "--rm", *volumes, image, "echo", "on"], capture_output=True, text=True)
    assert told.stdout == "on\n"
    version = lock.versions["driver"]
    assert f"driver {version}, which speaks CUDA 12.2, is too old: the image has CUDA 13.0" in told.stderr
    assert "needs driver >= 580" in told.stderr
    strict = ["--env", "RIGFORGE_GPU_CHECK=strict", *volumes, image, "echo", "on"]
    stopped = subprocess.run(["docker", "run", "--rm", *strict], capture_output=True, text=True)
    assert (stopped.returncode, stopped.stdout) == (1, "")
