"""`invoke diff OLD NEW`, as it is called."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from rigforge.lock.model import write
from rigforge.paths import PROJECT
from tests.command import rigforge
from tests.release_notes.two_locks import NEW, OLD


def diff(*arguments: str | Path) -> CompletedProcess[str]:
    return rigforge("diff", *arguments)


@pytest.fixture
def locks(tmp_path: Path) -> tuple[Path, Path]:
    old, new = tmp_path / "old.lock", tmp_path / "debian-12.lock"
    write(OLD, old)
    write(NEW, new)
    return old, new


def test_the_task_compares_two_files(locks: tuple[Path, Path]) -> None:
    """In a Python of its own: of no language either, it prints what it has to."""
    command = [sys.executable, "-m", "rigforge.cli", "diff", *map(str, locks)]
    seen = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, env=seen)
    assert (done.returncode, done.stderr) == (0, "")
    assert "- **NVIDIA driver**: `535.261.03` → `535.309.01`" in done.stdout
    assert "| module |" not in done.stdout
    assert "| host | its files, `driver`, `kernel`, layer python |" in done.stdout


def test_equal_locks_are_no_error(locks: tuple[Path, Path]) -> None:
    done = diff(locks[1], locks[1])
    assert (done.returncode, "Nothing: the locks are equal." in done.stdout) == (0, True)


def test_the_result_can_be_had_as_json(locks: tuple[Path, Path]) -> None:
    result = json.loads(diff(*locks, "--json").stdout)
    assert {"name": "driver", "old": "535.261.03", "new": "535.309.01"} in result["versions"]
    assert [layer["layer"] for layer in result["rebuilt"]] == ["base", "python", "host", "boot", "medium"]
    assert result["fetched_bytes"] == 78_500_000


def test_what_is_no_file_is_taken_for_a_git_revision() -> None:
    lock = PROJECT / "stacks/debian-12.lock"
    done = diff("no-such-revision", lock)
    assert done.returncode == 1
    assert f"no-such-revision: neither a lock file nor a git revision that has {lock}" in done.stderr


def test_a_damaged_lock_is_told(locks: tuple[Path, Path]) -> None:
    locks[1].write_text(locks[1].read_text().replace("535.309.01", "535.999.01"))
    done = diff(*locks)
    assert done.returncode == 1
    assert f"{locks[1]}: the lock was edited by hand or damaged" in done.stderr


def test_a_folder_is_no_lock(locks: tuple[Path, Path], tmp_path: Path) -> None:
    done = diff(locks[0], tmp_path)
    assert (done.returncode, f"{tmp_path} is a folder" in done.stderr) == (2, True)


def test_a_lock_without_its_stack_has_notes_all_the_same(tmp_path: Path) -> None:
    old, new = tmp_path / "old.lock", tmp_path / "new.lock"
    write(replace(OLD, stack="mine"), old)
    write(replace(NEW, stack="mine"), new)
    done = diff(old, new)
    assert done.returncode == 0
    assert "which layers are built anew cannot be told" in done.stderr
    assert "# mine: what changed" in done.stdout and "Layers to rebuild" not in done.stdout
