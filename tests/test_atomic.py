"""A file is there whole or not at all, whoever else makes it at the same time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rigforge import atomic

KILLED = """
import sys, time
from pathlib import Path
from rigforge import atomic
with atomic.making(Path(sys.argv[1])) as new:
    new.write_text("half")
    print(new, flush=True)
    time.sleep(60)
"""


def test_the_file_is_there_at_the_end_alone(tmp_path: Path) -> None:
    output = tmp_path / "rig.iso"
    with atomic.making(output) as new:
        new.write_text("whole")
        assert not output.exists()
    assert output.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [output]


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    output = tmp_path / "rig.iso"
    output.write_text("before")
    with pytest.raises(KeyError), atomic.making(output) as new:
        new.write_text("half")
        raise KeyError
    assert output.read_text() == "before"
    assert list(tmp_path.iterdir()) == [output]


def test_two_that_make_one_file_do_not_share_it(tmp_path: Path) -> None:
    output = tmp_path / "rig.iso"
    with atomic.making(output) as first:
        first.write_text("first")
        with atomic.making(output) as second:
            second.write_text("second")
        assert first.read_text() == "first"
    assert output.read_text() == "first"


def test_what_a_killed_one_left_goes_with_the_next_and_no_sooner(tmp_path: Path) -> None:
    output = tmp_path / "rig[1].iso"
    with subprocess.Popen([sys.executable, "-c", KILLED, output], stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout
        left = Path(killed.stdout.readline().rstrip())
        atomic.write(output, "while it lives")
        assert left.exists()
        killed.send_signal(signal.SIGKILL)
    atomic.write(output, "whole")
    assert list(tmp_path.iterdir()) == [output]


def test_the_content_is_on_the_disk_before_the_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a power cut after it may leave an empty file."""
    output = tmp_path / "rig.iso"
    output.write_text("before")
    seen: list[tuple[str, str]] = []
    monkeypatch.setattr(os, "fsync", lambda number: seen.append((os.pread(number, 9, 0).decode(), output.read_text())))
    atomic.write(output, "after", 0o600)
    assert seen == [("after", "before")]
    assert (output.read_text(), output.stat().st_mode & 0o777) == ("after", 0o600)
