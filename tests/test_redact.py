"""Planted secrets: nothing that is shown or written has them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rigforge import cli, console
from rigforge.build_lock import exclusive
from rigforge.redact import redacted

PLANTED = "PLANTED/pass&word"


@pytest.mark.parametrize(
    "text",
    [
        "Max retries exceeded with url: https://ada:PLANTED@mirror.lab/x",
        "http://PLANTED@mirror.lab",
        "proxy socks5://ada:PLANTED@proxy:1080 refused",
        "--set storage.passphrase=PLANTED",
        "exit 1 from: rigforge --set 'storage.passphrase=PLANTED'",
        "machine.password_hash = PLANTED",
        'passphrase = "PLANTED"',
    ],
)
def test_secrets_are_taken_out_of_text(text: str) -> None:
    assert "PLANTED" not in redacted(text)


@pytest.mark.parametrize(
    "text", ["https://mirror.lab/a@b", "ssh://ada@gpubox", "storage.passphrase=@FILE", "ada@192.0.2.7", "hostname=gpu1"]
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize(
    "words", [["--set", f"storage.passphrase={PLANTED} x"], [f"--set=storage.passphrase={PLANTED}"]]
)
def test_the_lock_of_a_build_is_its_owners_and_has_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("RIGFORGE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["rigforge", "build-iso", *words])
    (tmp_path / "lock").touch(mode=0o644)
    with exclusive():
        text = (tmp_path / "lock").read_text()
    assert "PLANTED" not in text and "build-iso" in text
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_a_report_of_a_bug_is_its_owners_and_has_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIGFORGE_HOME", str(tmp_path))
    with pytest.raises(SystemExit) as ended, cli.exit_codes():
        raise RuntimeError("https://ada:PLANTED@mirror.lab/debian")
    assert ended.value.code == cli.BUG
    (report,) = (tmp_path / "bugs").iterdir()
    assert report.stat().st_mode & 0o777 == 0o600
    assert "PLANTED" not in report.read_text() + capsys.readouterr().err


def test_messages_have_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    for tell in (console.say, console.warn, console.fail):
        tell("https://ada:PLANTED@mirror.lab/debian")
    assert "PLANTED" not in capsys.readouterr().err
