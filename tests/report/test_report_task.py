"""`invoke report` as it is called."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rigforge.layers.build import Cache
from rigforge.layers.plan import plan
from rigforge.lock.model import read
from rigforge.paths import PROJECT
from rigforge.stack.load import load
from tests.report.trees import install_deb

PROGRAM = "from rigforge.tasks.report import report; from invoke.context import Context; import sys; "


def call(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Calls the task's body in a process of its own, as the command line would."""
    named = ", ".join(f"{key}={value!r}" for key, value in (argument.split("=", 1) for argument in arguments))
    return subprocess.run(
        [sys.executable, "-c", f"{PROGRAM}report(Context(), {named})"],
        cwd=PROJECT,
        env={**os.environ, "RIGFORGE_HOME": str(home)},
        capture_output=True,
        text=True,
    )


def a_build(home: Path, name: str) -> None:
    stack = load(name)
    base = plan(stack, read(stack.lock_path))[0]
    install_deb(Cache(home).rootfs(base), "bash", {"/bin/bash": 5000})


def test_it_prints_where_the_report_is_and_writes_nothing_into_the_cache(tmp_path: Path) -> None:
    home, output = tmp_path / "home", tmp_path / "out" / "report.html"
    a_build(home, "smoke")
    before = sorted(home.rglob("*"))
    done = call(home, "stack=smoke", f"out={output}")
    assert (done.returncode, done.stdout) == (0, f"report: {output}\n"), done.stderr
    assert "<h1>smoke</h1>" in output.read_text()
    assert sorted(home.rglob("*")) == before


def test_without_a_name_it_takes_a_stack_that_is_built(tmp_path: Path) -> None:
    a_build(tmp_path / "home", "debian-12")
    done = call(tmp_path / "home", f"out={tmp_path / 'report.html'}")
    assert done.returncode == 0, done.stderr
    assert "<h1>debian-12</h1>" in (tmp_path / "report.html").read_text()


def test_a_folder_gets_the_report_under_its_own_name(tmp_path: Path) -> None:
    a_build(tmp_path / "home", "smoke")
    done = call(tmp_path / "home", "stack=smoke", f"out={tmp_path}")
    assert done.stdout == f"report: {tmp_path}/rigforge-smoke-report.html\n", done.stderr


def test_nothing_built_ends_with_the_command_that_builds(tmp_path: Path) -> None:
    for arguments, command in (((), "invoke build-iso"), (("stack=smoke",), "invoke build-iso --stack smoke")):
        done = call(tmp_path, *arguments)
        assert done.returncode == 1 and done.stdout == ""
        assert "built yet" in done.stderr and command in done.stderr
