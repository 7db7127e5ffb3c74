"""Secrets come by file, prompt or environment, and what is seen by others is said."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from rigforge.errors import UsageError
from rigforge.stack import secrets
from rigforge.stack.load import load
from tests.stack.stack_files import SMALLEST, Write, complaint

LUKS = SMALLEST + '[storage]\nlayout = "luks"\n'


def passphrase(write: Write, *sets: str) -> str:
    return load(write("mine.toml", LUKS), sets=sets).storage.passphrase


def test_a_file_has_it_on_its_only_line(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    file = write("disk.txt", "correct horse = battery\n")
    assert passphrase(write, f"storage.passphrase=@{file}") == "correct horse = battery"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("content", "reason"),
    [("", "is not one line"), ("\n", "is not one line"), ("one\ntwo\n", "is not one line"), (None, "No such file")],
)
def test_another_file_is_refused(write: Write, tmp_path: Path, content: str | None, reason: str) -> None:
    file = tmp_path / "disk.txt" if content is None else write("disk.txt", content)
    said = complaint(write("mine.toml", LUKS), sets=[f"storage.passphrase=@{file}"])
    assert said.startswith("--set storage.passphrase: ")
    assert str(file) in said and reason in said


def test_without_a_terminal_it_is_standard_inputs_first_line(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("correct horse\nno more\n"))
    assert passphrase(write, "storage.passphrase=@") == "correct horse"


def test_on_the_terminal_it_is_typed_twice(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["correct horse", "correct horse", "correct horse", "corect horse"])
    monkeypatch.setattr(secrets, "getpass", lambda prompt: next(answers))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert passphrase(write, "storage.passphrase=@") == "correct horse"
    with pytest.raises(UsageError, match="not the same twice"):
        passphrase(write, "storage.passphrase=@")


def test_the_environment_has_it(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGFORGE_PASSPHRASE", "1234567890")
    assert passphrase(write) == "1234567890"


def test_on_the_command_line_it_is_taken_with_a_warning(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert passphrase(write, "storage.passphrase=0815") == "0815"
    said = capsys.readouterr().err
    assert "every user of this machine can see it" in said
    assert "0815" not in said


def test_a_file_of_site_values_that_others_may_read(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    site = write("site.toml", '[storage]\npassphrase = "correct horse"\n')
    site.chmod(0o600)
    load(write("mine.toml", LUKS))
    assert capsys.readouterr().err == ""
    site.chmod(0o640)
    load(write("mine.toml", LUKS))
    assert capsys.readouterr().err == "warning: site.toml: others may read storage.passphrase: chmod 600 site.toml\n"


def test_a_stack_knows_what_secrets_it_holds(write: Write) -> None:
    wifi = '[network.wifis.wlan0.access-points."lab"]\npassword = "correct horse"\n'
    stack = load(write("mine.toml", LUKS + 'passphrase = "correct horse"\n' + wifi))
    assert stack.secrets == ["network", "storage.passphrase"]
    assert load(write("mine.toml", SMALLEST)).secrets == []
