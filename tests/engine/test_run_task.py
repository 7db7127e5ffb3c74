"""`invoke run`, from the command line to the engine's."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rigforge.paths import PROJECT
from tests.engine.docker_daemon import answering

RIGFORGE = (sys.executable, "-m", "rigforge.cli")
INVOKE = (sys.executable, "-m", "invoke", "--search-root", str(PROJECT))


@pytest.fixture(autouse=True)
def docker(install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A docker that prints each of its arguments on a line, and ends with 7."""
    install("docker", 'printf "%s\\n" "$@"; exit 7')
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))


def run(program: tuple[str, ...], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*program, "run", *arguments], cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("program", [RIGFORGE, INVOKE], ids=["rigforge", "invoke"])
def test_the_command_arrives_word_for_word_and_its_exit_code_returns(
    program: tuple[str, ...], tmp_path: Path, socket: Path
) -> None:
    with answering(socket, images={"rigforge/smoke:dev"}):
        done = run(program, tmp_path, "--stack", "smoke", "--", "python", "-c", "print('a  b', $HOME)", "--print")
    words = done.stdout.splitlines()
    assert words[words.index("rigforge/smoke:dev") + 1 :] == ["python", "-c", "print('a  b', $HOME)", "--print"]
    assert f"{tmp_path}:/workspace" in words
    assert done.returncode == 7


def test_print_shows_a_line_for_the_shell_and_runs_nothing(tmp_path: Path, socket: Path) -> None:
    with answering(socket, images={"rigforge/smoke:runtime"}):
        done = run(RIGFORGE, tmp_path, "--print", "--image", "runtime", "--", "sh", "-c", "echo $USER")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    words = shlex.split(line)
    assert words[:3] == ["docker", "run", "--rm"]
    assert words[-4:] == ["rigforge/smoke:runtime", "sh", "-c", "echo $USER"]


def test_an_unknown_stack_is_told_before_its_image_is_looked_for(tmp_path: Path, socket: Path) -> None:
    with answering(socket):
        done = run(RIGFORGE, tmp_path, "--stack", "smoek")
    assert done.returncode == 1
    assert "smoek" in done.stderr and "smoke" in done.stderr and not done.stdout
