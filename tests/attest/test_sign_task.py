"""`invoke sign` and `invoke verify-signature`, as they are called."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from rigforge.paths import PROJECT
from tests.attest.signing import PASSPHRASE, Pair

RIGFORGE = (sys.executable, "-m", "rigforge.cli")


def run(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RIGFORGE, *map(str, arguments)], cwd=PROJECT, capture_output=True, text=True, input=stdin)


def on_a_terminal(typed: str, *arguments: str | Path) -> tuple[int, str]:
    """Runs a task on a terminal of its own, types a line when it is asked, and returns exit code and screen."""
    child, terminal = pty.fork()
    if not child:
        os.chdir(PROJECT)
        os.execv(sys.executable, [*RIGFORGE, *map(str, arguments)])
    screen = b""
    while True:
        try:
            read = os.read(terminal, 1024)
        except OSError:  # its other side is closed
            break
        if not read:
            break
        asked = b"Passphrase" in screen
        screen += read
        if b"Passphrase" in screen and not asked:
            os.write(terminal, f"{typed}\n".encode())
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), screen.decode()


def test_what_is_signed_verifies(iso: Path, keys: Pair) -> None:
    signed = run("sign", iso, "--key", keys.secret)
    assert (signed.returncode, signed.stdout.splitlines()) == (
        0,
        [f"signature: {iso.with_suffix(ending)}.minisig" for ending in (".intoto.json", ".sha256")],
    )
    verified = run("verify-signature", iso, "--public-key", keys.public)
    assert (verified.returncode, verified.stdout) == (0, f"verified: {iso}\n")
    assert f"signed by key {keys.id} (file:rigforge-debian-12.sha256, stack:debian-12, lock:" in verified.stderr


def test_what_is_altered_ends_with_1_and_nothing_on_standard_output(iso: Path, keys: Pair) -> None:
    run("sign", iso, "--key", keys.secret)
    iso.write_text(iso.read_text().upper())
    done = run("verify-signature", iso, "--public-key", keys.base64)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{iso} has other content" in done.stderr and "hint: " in done.stderr


def test_no_public_key_ends_with_1(iso: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("RIGFORGE_PUBLIC_KEY", raising=False)
    done = run("verify-signature", iso)
    assert (done.returncode, done.stdout) == (1, "")
    assert "error: no public key given" in done.stderr


def test_the_passphrase_is_asked_for_on_the_terminal_and_not_shown(iso: Path, locked_keys: Pair) -> None:
    code, screen = on_a_terminal(PASSPHRASE, "sign", iso, "--key", locked_keys.secret)
    assert code == 0, screen
    assert f"Passphrase of {locked_keys.secret}: " in screen and PASSPHRASE not in screen
    assert run("verify-signature", iso, "--public-key", locked_keys.public).returncode == 0


def test_a_wrong_passphrase_ends_with_1(iso: Path, locked_keys: Pair) -> None:
    code, screen = on_a_terminal("wrong", "sign", iso, "--key", locked_keys.secret)
    assert (code, f"error: that is not the passphrase of {locked_keys.secret}" in screen) == (1, True)
    assert [*iso.parent.glob("*.minisig")] == []


def test_without_a_terminal_the_passphrase_is_a_line_of_standard_input(iso: Path, locked_keys: Pair) -> None:
    assert run("sign", iso, "--key", locked_keys.secret, stdin=f"{PASSPHRASE}\n").returncode == 0
    assert run("verify-signature", iso, "--public-key", locked_keys.public).returncode == 0


def test_no_passphrase_at_all_is_told(iso: Path, locked_keys: Pair) -> None:
    done = run("sign", iso, "--key", locked_keys.secret)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"error: {locked_keys.secret} has a passphrase, and none was given" in done.stderr
