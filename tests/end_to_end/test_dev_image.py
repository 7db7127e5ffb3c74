"""The dev image of a small stack, started as people start it: by compose, and with JupyterLab in it (4 minutes)."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from rigforge.images.description import IMAGES
from tests.end_to_end.chain import OUT, rigforge

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("daemon")]

#: Seconds that JupyterLab may take to start.
PATIENCE = 120


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> str:
    copy = shutil.copy(Path(__file__).with_name("small-dev.toml"), tmp_path_factory.mktemp("small-dev"))
    rigforge("lock", "--stack", copy)
    return str(copy)


@pytest.fixture(scope="module")
def definitions(stack: str, daemon: None) -> Path:
    """The folder with compose.yaml and .devcontainer; the image is loaded."""
    build = ("build-images", "--stack", stack, "--image", "dev", "--load", "--engine", "docker")
    printed = rigforge(*build, "--out", OUT / "images")
    assert printed.startswith("image: rigforge/small-dev:dev sha256:")
    return OUT / "images/small-dev-dev"


@pytest.fixture
def project(definitions: Path, tmp_path: Path) -> Path:
    """A folder of a user's, of whom the image knows nothing, with the compose file in it."""
    shutil.copy(definitions / "compose.yaml", tmp_path)
    (tmp_path / ".env").write_text("DEV_UID=4321\nDEV_GID=4321\n")
    os.chown(tmp_path, 4321, 4321)
    return tmp_path


def compose(project: Path, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker-compose", *arguments], cwd=project, capture_output=True, text=True, env={**os.environ, **(env or {})}
    )


def test_the_images_pass_their_tests(stack: str) -> None:
    reports = json.loads(rigforge("verify-images", "--stack", stack, "--out", OUT / "images", "--json"))
    assert [(report["image"], report["failed"]) for report in reports] == [(name, 0) for name in IMAGES]


def test_compose_runs_a_command_as_the_user_in_the_folder(project: Path) -> None:
    done = compose(project, "run", "--rm", "-T", "dev", "sh", "-c", "id -u; pwd; echo hello >made; git --version")
    assert done.stdout.splitlines()[:2] == ["4321", "/workspace"], done.stderr
    assert "git version" in done.stdout
    assert (project / "made").stat().st_uid == 4321


def test_compose_starts_jupyterlab_which_answers_to_its_token_only(project: Path) -> None:
    """In the host's network, as the daemon of a test may have no other."""
    file = project / "compose.yaml"
    definition = yaml.safe_load(file.read_text())
    del definition["services"]["jupyter"]["ports"]
    definition["services"]["jupyter"] |= {
        "network_mode": "host",
        "command": ["jupyter", "--ip=127.0.0.1", "--port=8765"],
    }
    file.write_text(yaml.safe_dump(definition))
    try:
        started = compose(project, "up", "--detach", "jupyter")
        assert started.returncode == 0, started.stderr
        address = told_address(project)
        assert status(address) == 200
        assert "/login" in final_url(address.partition("?")[0])
    finally:
        compose(project, "down")


def told_address(project: Path) -> str:
    """Returns the address with its token that JupyterLab's container prints, once that answers."""
    end = time.monotonic() + PATIENCE
    while True:
        log = compose(project, "logs", "--no-color", "jupyter").stdout
        if (found := re.search(r"http://127\.0\.0\.1:8765/lab\?token=[0-9a-f]{48}", log)) and "is running at" in log:
            return found[0]
        assert time.monotonic() < end, log
        time.sleep(1)


def status(address: str) -> int:
    with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
        code: int = answer.status
        return code


def final_url(address: str) -> str:
    with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
        url: str = answer.url
        return url
