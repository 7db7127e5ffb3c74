"""An image built from a vendored directory, on a machine without a network and without anything from before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from chain import OUT, rigforge, usable

from rigforge import namespace

pytestmark = pytest.mark.build


def without_network(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a command where no address can be reached, not even its own machine's."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-auto", "--map-root-user"]
    return subprocess.run(["unshare", *user, "--net", *command], stdout=subprocess.PIPE, text=True)


def test_from_a_vendored_directory_the_same_image_is_built_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = usable("smoke", tmp_path)
    directory = tmp_path / "vendor"
    assert rigforge("vendor", "--stack", stack, directory) == f"vendor: {directory}\n"
    (line,) = rigforge("build-images", "--stack", stack, "--out", OUT / "images").splitlines()

    monkeypatch.setenv("RIGFORGE_HOME", str(tmp_path / "empty"))
    own = directory / "stacks/smoke/smoke.toml"
    build = [sys.executable, "-m", "rigforge.cli", "build-images", "--stack", own, "--mirror", directory]
    try:
        assert without_network("cat", "/proc/net/route").stdout.count("\n") <= 1
        done = without_network(*build, "--out", tmp_path / "images")
        assert done.returncode == 0
        assert done.stdout.split()[:3] == line.split()[:3]
    finally:
        namespace.remove_tree(tmp_path / "empty")
