"""What is found when files are read against their sha256."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from rigforge.store.comparison import CHUNK, Expected, Problem, compare

CONTENT = b"0123456789" * (CHUNK // 5)  # two chunks


@pytest.fixture
def file(tmp_path: Path) -> Expected:
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool/bash.deb").write_bytes(CONTENT)
    return Expected("pool/bash.deb", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


def test_nothing_is_wrong_with_what_is_as_expected(tmp_path: Path, file: Expected) -> None:
    assert compare([file], tmp_path) == []


def test_the_size_need_not_be_known(tmp_path: Path, file: Expected) -> None:
    assert compare([Expected(file.path, file.sha256)], tmp_path) == []


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.rename(path.parent.with_name("pool.deb")), "is missing"),
        (lambda path: path.write_bytes(CONTENT[:-1]), f"has {len(CONTENT) - 1} bytes, not {len(CONTENT)}"),
        (lambda path: path.write_bytes(CONTENT[:-1] + b"X"), "has other content"),
        (lambda path: (path.unlink(), path.mkdir()), "is not a file"),
        (lambda path: (path.unlink(), path.symlink_to(path)), "cannot be read: Too many levels of symbolic links"),
    ],
    ids=["removed", "moved", "cut off", "altered", "a folder", "a link to itself"],
)
def test_every_kind_of_damage_is_told(
    tmp_path: Path, file: Expected, damage: Callable[[Path], object], reason: str
) -> None:
    damage(tmp_path / file.path)
    assert compare([file], tmp_path) == [Problem(file.path, reason)]


def test_a_disk_that_cannot_read_a_file_is_one_problem_among_others() -> None:
    # Linux refuses to read the memory of a process at address 0: an input/output error without a broken disk.
    unreadable, missing = Expected("mem", "0" * 64), Expected("none", "0" * 64)
    assert compare([unreadable, missing], Path("/proc/self")) == [
        Problem("mem", "cannot be read: Input/output error"),
        Problem("none", "is missing"),
    ]


def test_all_problems_are_found_in_the_order_of_their_paths(tmp_path: Path) -> None:
    files = [Expected(f"{n:02}", "0" * 64) for n in range(30)]
    for file in files[::2]:
        (tmp_path / file.path).write_bytes(b"x")
    assert [problem.path for problem in compare(reversed(files), tmp_path)] == [file.path for file in files]
