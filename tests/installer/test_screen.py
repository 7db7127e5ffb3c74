"""What a person in front of the machine sees."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rigforge.installer.screen import Screen, consoles

Capture = pytest.CaptureFixture[str]


class Clock:
    """A clock that goes as it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def terminals(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "tty1", tmp_path / "ttyS0"]
    for path in paths:
        path.touch()
    return paths


@pytest.mark.parametrize(
    ("active", "names"),
    [
        ("tty0 ttyS0\n", ["tty1", "ttyS0"]),
        ("tty0 ttyS1\n", ["tty1", "ttyS0", "ttyS1"]),
        ("hvc0\n", ["tty1", "ttyS0", "hvc0"]),
        (None, ["tty1", "ttyS0"]),
    ],
)
def test_screen_serial_port_and_kernel_console_are_written_to_once_each(
    active: str | None, names: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "active"
    if active is not None:
        file.write_text(active)
    assert [path.name for path in consoles(file)] == names


def test_every_terminal_and_the_log_get_every_line(terminals: list[Path], capsys: Capture) -> None:
    Screen(terminals, 9).say("ERASING /dev/sda\nall of it")
    for terminal in terminals:
        assert terminal.read_text() == "rigforge: ERASING /dev/sda\nrigforge: all of it\n"
    assert capsys.readouterr().out == "rigforge: ERASING /dev/sda\nrigforge: all of it\n"


def test_a_machine_without_a_serial_port_still_has_its_screen(terminals: list[Path]) -> None:
    Screen([Path("/nowhere/ttyS0"), terminals[0]], 9).say("hello")
    assert terminals[0].read_text() == "rigforge: hello\n"


def test_a_terminal_that_takes_nothing_does_not_stop_the_rest(tmp_path: Path, terminals: list[Path]) -> None:
    stuck = tmp_path / "stuck"
    os.mkfifo(stuck)
    reader = os.open(stuck, os.O_RDONLY | os.O_NONBLOCK)
    screen = Screen([stuck, terminals[0]], 9, patience=0.01)
    screen.say("x" * 200_000)
    assert len(terminals[0].read_text()) > 200_000
    os.close(reader)


def test_stages_are_numbered_and_timed(terminals: list[Path], clock: Clock) -> None:
    screen = Screen(terminals[:1], 9, clock)
    with screen.stage("choosing the disk"):
        clock.now += 1.25
    with screen.stage("copying"):
        clock.now += 60
    assert terminals[0].read_text().splitlines() == [
        "rigforge: [1/9] choosing the disk",
        "rigforge: [1/9] choosing the disk: 1.2 s",
        "rigforge: [2/9] copying",
        "rigforge: [2/9] copying: 60.0 s",
    ]


def test_a_failed_stage_says_so(terminals: list[Path], clock: Clock) -> None:
    with pytest.raises(OSError), Screen(terminals[:1], 9, clock).stage("copying"):
        raise OSError
    assert terminals[0].read_text().splitlines() == [
        "rigforge: [1/9] copying",
        "rigforge: [1/9] copying: failed after 0.0 s",
    ]


def test_progress_is_shown_now_and_then_only(terminals: list[Path], clock: Clock) -> None:
    screen = Screen(terminals[:1], 9, clock)
    with screen.stage("copying"):
        for second in range(11):
            clock.now = 100.0 + second
            screen.progress(100_000_000 * second, 980_000_000)
    assert terminals[0].read_text().splitlines()[1:-1] == [
        "rigforge: [1/9] copying 0/980 MB",
        "rigforge: [1/9] copying 500/980 MB",
        "rigforge: [1/9] copying 980/980 MB",
    ]
