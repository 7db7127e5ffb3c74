"""Running programs on the machine that is installed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rigforge.installer import command
from rigforge.installer.command import ProgramFailed, output_of, run
from rigforge.installer.errors import InstallError

Capture = pytest.CaptureFixture[str]


def test_the_log_gets_the_command_line_and_what_it_prints(capfd: Capture) -> None:
    assert run(["sh", "-c", "echo out; echo err >&2"]) == 0
    out, err = capfd.readouterr()
    assert out == "+ sh -c 'echo out; echo err >&2'\nout\n"
    assert err == "err\n"


def test_a_secret_reaches_the_program_and_not_the_log(capfd: Capture, tmp_path: Path) -> None:
    run(["dd", f"of={tmp_path / 'key'}", "status=none"], stdin="a passphrase")
    assert (tmp_path / "key").read_text() == "a passphrase"
    assert "a passphrase" not in "".join(capfd.readouterr())


def test_a_program_that_does_not_read_its_input_is_no_error() -> None:
    assert run(["true"], stdin="x" * 1_000_000) == 0


def test_a_failure_names_the_command_and_its_code() -> None:
    with pytest.raises(ProgramFailed, match="exit 3 from: sh -c 'exit 3'") as caught:
        run(["sh", "-c", "exit 3"])
    assert caught.value.returncode == 3
    assert run(["sh", "-c", "exit 3"], check=False) == 3


def test_a_missing_program_is_an_error_of_the_medium() -> None:
    with pytest.raises(InstallError, match="no-such-program is not on this medium"):
        run(["no-such-program"])


def test_a_program_is_watched_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "INTERVAL", 0.01)
    seen: list[int] = []
    run(["sleep", "0.2"], watch=seen.append)
    assert len(seen) > 1 and seen[0] != os.getpid()


def test_a_program_sees_a_fixed_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    environment = output_of(["env"])
    assert "SECRET" not in environment
    assert "LC_ALL=C.UTF-8" in environment


def test_output_can_be_longer_than_a_pipe_holds(tmp_path: Path) -> None:
    assert len(output_of(["head", "-c", "1000000", "/dev/zero"])) == 1_000_000
    assert output_of(["pwd"], cwd=tmp_path).strip() == str(tmp_path)
