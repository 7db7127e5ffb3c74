"""The document's late-commands."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rigforge.installer.errors import InstallError
from rigforge.installer.late_commands import CURTIN, run_late_commands

Capture = pytest.CaptureFixture[str]


def test_they_run_in_order_text_by_the_shell_and_lists_as_they_are(tmp_path: Path) -> None:
    out = tmp_path / "out"
    commands = [f"echo one > {out} && echo two >> {out}", ["cp", str(out), f"{out} $HOME"]]
    run_late_commands(commands, tmp_path / "bin")
    assert (tmp_path / "out $HOME").read_text() == "one\ntwo\n"


def test_the_first_that_fails_is_named_by_its_place_and_none_follows(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match=r"late-commands\[1\] ended with exit code 7"):
        run_late_commands(["true", "exit 7", f"touch {tmp_path}/after"], tmp_path / "bin")
    assert not (tmp_path / "after").exists()


@pytest.fixture
def chroot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chroot that says what it was asked for: the real one needs root and a system."""
    fake = tmp_path / "fake/chroot"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\nfor word; do echo "<$word>"; done\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")


@pytest.mark.usefixtures("chroot")
@pytest.mark.parametrize(
    "command",
    [
        "curtin in-target -- ls -l '/a b'",
        "curtin in-target ls -l '/a b'",
        "curtin in-target --target=/target -- ls -l '/a b'",
        "curtin in-target --target /target ls -l '/a b'",
        ["curtin", "in-target", "--", "ls", "-l", "/a b"],
    ],
)
def test_curtin_in_target_is_a_chroot(command: str | list[str], tmp_path: Path, capfd: Capture) -> None:
    run_late_commands([command], tmp_path / "bin")
    assert capfd.readouterr().out.splitlines()[-4:] == ["</target>", "<ls>", "<-l>", "</a b>"]


@pytest.mark.usefixtures("chroot")
@pytest.mark.parametrize("command", ["curtin install", "curtin in-target --interactive -- sh"])
def test_the_rest_of_curtin_is_refused(command: str, tmp_path: Path) -> None:
    with pytest.raises(InstallError, match=r"late-commands\[0\] ended with exit code 2"):
        run_late_commands([command], tmp_path / "bin")


def test_the_shim_is_clean_shell(tmp_path: Path) -> None:
    shim = tmp_path / "curtin"
    shim.write_text(CURTIN)
    subprocess.run(["shellcheck", shim], check=True)
