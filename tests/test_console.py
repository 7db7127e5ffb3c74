"""What is told to the user is told as it is."""

from __future__ import annotations

import doctest
import os
import pty
import subprocess
import sys
import time

import pytest

from rigforge import console
from rigforge.cli import task

PROGRAM = """
import time
from rigforge import console
with console.step("layer base"):
    time.sleep(0.3)
with console.Transfer("fetching", 1, 100) as transfer:
    transfer.advance(100)
    transfer.file_done()
    time.sleep(0.3)
console.warn("careful")
"""


def on_terminal(**environment: str) -> str:
    """What the program writes to a terminal of the kind that the environment says."""
    ours, theirs = pty.openpty()
    plain = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "TERM")}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stderr=theirs, env={**plain, **environment}) as process:
        os.close(theirs)
        said = b""
        try:
            while read := os.read(ours, 65536):
                said += read
        except OSError:  # the other end is closed
            pass
    os.close(ours)
    assert process.returncode == 0, said
    return said.decode()


@pytest.mark.parametrize("path", ["/srv/a:b:/c", "/srv/[red]/c", "/srv/:warning:"])
def test_a_path_stays_as_it_is(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    console.say(path)
    console.fail(path, path)
    assert capsys.readouterr().err == f"{path}\nerror: {path}\nhint: {path}\n"


def test_a_terminal_gets_bars_and_the_time_that_has_gone_by() -> None:
    said = on_terminal(TERM="xterm-256color")
    assert "0:00:00" in said and "layer base" in said and "━" in said
    assert "✓ layer base (0." in said and "\x1b[33mwarning: careful" in said


def test_no_color_means_none() -> None:
    said = on_terminal(TERM="xterm-256color", NO_COLOR="1")
    assert "warning: careful" in said and "\x1b[3" not in said.replace("\x1b[3A", "")


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_dumb_terminal_gets_lines(term: str) -> None:
    said = on_terminal(TERM=term)
    assert "\x1b" not in said
    assert [line.split(" (")[0] for line in said.splitlines()] == [
        "… layer base",
        "✓ layer base",
        "… fetching: 1 files, 0.0 MB",
        "warning: careful",
    ]


@pytest.mark.parametrize("name", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_a_log_has_no_bars_whatever_the_environment_says(name: str) -> None:
    environment = {**os.environ, name: "1", "TERM": "xterm-256color"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    assert "━" not in done.stderr and "\r" not in done.stderr
    assert done.stderr.startswith("… layer base\n✓ layer base (0.")


def test_the_end_says_how_long_it_took_and_what_took_longest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    @task()
    def build(context: object) -> None:
        for title, seconds in (("layer base", 40), ("lock", 1), ("layer cuda", 75), ("iso", 12)):
            with console.step(title):
                clock[0] += seconds

    build.body(None)
    assert capsys.readouterr().err.splitlines()[-1] == (
        "Done in 2 min 8 s: layer cuda 1 min 15 s, layer base 40 s, iso 12 s"
    )


def test_what_is_quick_or_has_no_steps_ends_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    @task()
    def look(context: object) -> None:
        with console.step("look"):
            pass

    look.body(None)
    assert "Done" not in capsys.readouterr().err
    console.summary(3600)
    assert capsys.readouterr().err == ""


def test_a_log_says_how_long_a_transfer_will_take(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with console.Transfer("fetching", 2, 4_000_000) as transfer:
        transfer.advance(0)
        clock[0] = 20
        transfer.advance(1_000_000)
    assert capsys.readouterr().err.splitlines()[-1] == "  0/2 files, 1.0/4.0 MB, 1 min 0 s left"


def test_durations_are_as_the_docstring_says() -> None:
    assert doctest.testmod(console).failed == 0
