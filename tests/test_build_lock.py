"""Two builds at once: the second waits, and says for whom."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from rigforge.build_lock import exclusive
from rigforge.errors import RigforgeError
from rigforge.process import run

HOLDER = """
import sys, time
from pathlib import Path
from rigforge import paths
from rigforge.build_lock import exclusive
sys.argv = ["/checkout/rigforge/cli.py", "build-iso", "--stack", "smoke"]
with exclusive({out}):
    print("held", flush=True)
    time.sleep({seconds})
    {at_the_end}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RIGFORGE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def hold(seconds: float, at_the_end: str = "pass", out: Path | None = None) -> subprocess.Popen[str]:
    """Another process that holds the lock for so long."""
    program = HOLDER.format(seconds=seconds, at_the_end=at_the_end, out=f"Path({str(out)!r})" if out else "")
    holder = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert holder.stdout and holder.stdout.readline() == "held\n"
    return holder


def test_the_second_waits_and_says_who_holds_the_lock(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with hold(0.5) as holder:
        start = time.monotonic()
        with exclusive():
            assert time.monotonic() - start > 0.3
    said = capsys.readouterr().err
    assert f"'rigforge build-iso --stack smoke' (pid {holder.pid}, at work since" in said
    assert time.strftime(" %Y-%m-%d ") in said


def test_a_killed_holder_leaves_nothing_to_wait_for(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with hold(60) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with exclusive():
        pass
    assert capsys.readouterr().err == ""


def test_a_lock_that_was_cleaned_away_while_waiting_is_taken_anew(home: Path) -> None:
    with (
        hold(0.5, at_the_end="(paths.home() / 'lock').unlink()"),
        exclusive(),
        (home / "lock").open() as third,
        pytest.raises(BlockingIOError),
    ):
        fcntl.flock(third, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_home_that_cannot_be_written_is_the_users_to_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RIGFORGE_HOME", str(tmp_path / "file" / "state"))
    with pytest.raises(RigforgeError, match="cannot be written") as caught, exclusive():
        pass
    assert "RIGFORGE_HOME" in caught.value.hint


def test_a_program_that_outlives_its_killed_build_still_holds_the_lock(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # It frees itself of the signal by which it would end with the build.
    at_work = home.with_name("at-work")
    outlive = ["setpriv", "--pdeathsig=clear", "sh", "-c", f"touch {at_work}; sleep 2"]
    program = HOLDER.format(seconds=0, at_the_end=f"from rigforge.process import run; run({outlive})", out="")
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as holder:
        deadline = time.monotonic() + 60
        while not at_work.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        start = time.monotonic()
        with exclusive():
            assert time.monotonic() - start > 0.3
    assert f"(pid {holder.pid}, at work since" in capsys.readouterr().err


def test_what_a_killed_build_left_half_made_is_removed(home: Path) -> None:
    left = [home / "layers/.key/rootfs/file", home / "squashfs/.one.x.part/one", home / "tmp/rigforge-x/file"]
    left.append(home / "disk/disk.raw")
    kept = [home / "layers/key/rootfs/.file", home / "store/ab/abcd.part"]
    for file in (*left, *kept):
        file.parent.mkdir(parents=True)
        file.touch()
    with exclusive():
        assert [file for file in left if file.exists()] == []
        assert all(file.exists() for file in kept)


def test_temporary_files_lie_in_the_state_directory(home: Path) -> None:
    before = tempfile.gettempdir()
    with exclusive():
        assert tempfile.gettempdir() == run(["printenv", "TMPDIR"]).stdout.strip() == str(home / "tmp")
    assert tempfile.gettempdir() == before
    assert not (home / "tmp").exists()


def test_a_build_with_another_state_directory_waits_for_the_same_folder(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    with hold(0.5, out=out):
        monkeypatch.setenv("RIGFORGE_HOME", str(tmp_path / "another"))
        start = time.monotonic()
        with exclusive(out):
            assert time.monotonic() - start > 0.3
    assert f"Waiting for another build that writes to {out}" in capsys.readouterr().err


def test_a_folder_for_results_that_is_a_file_is_the_users_to_mend(home: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RigforgeError, match="file: cannot be made a folder for results"), exclusive(tmp_path / "file"):
        pass


def test_a_new_folder_for_results_that_got_none_is_removed_again(home: Path, tmp_path: Path) -> None:
    with pytest.raises(RigforgeError, match="refused"), exclusive(tmp_path / "out"):
        raise RigforgeError("refused")
    assert not (tmp_path / "out").exists()
    with exclusive(tmp_path / "out"):
        (tmp_path / "out/result").touch()
    (tmp_path / "empty").mkdir()
    with exclusive(tmp_path / "empty"):
        pass
    assert (tmp_path / "out/result").exists() and (tmp_path / "empty").exists()
