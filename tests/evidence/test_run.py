"""A part is run, and its record says what happened on what kind of machine, and neither where nor whose."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.evidence import parts, record
from rigforge.paths import PROJECT

TESTS = """
import pytest

pytestmark = pytest.mark.build


def test_that_passes(record_property):
    record_property("packages", 312)


def test_that_fails():
    assert "a string" == "another"


@pytest.fixture
def broken():
    yield
    raise RuntimeError("not cleared away")


def test_that_leaves_something_behind(broken):
    pass


@pytest.mark.skip
def test_that_is_not_run():
    pass


def test_of_no_part():
    raise AssertionError
"""

PROGRAM = """
import sys
from pathlib import Path
from rigforge.evidence import record
from rigforge.evidence.parts import Part
from rigforge.evidence.run import run
folder, *tests = sys.argv[1:]
print(record.write(run(Part("tiny", tuple(tests)), Path(folder, "tests")), Path(folder)))
"""


def run(folder: Path, *tests: str) -> Path:
    """Runs tests in a process of their own, as pytest is no guest in itself; returns the record's path."""
    environment = {**os.environ, "RIGFORGE_HOME": str(folder / "state"), "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", PROGRAM, folder, *tests]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "tests").mkdir()
    (folder / "tests/test_tiny.py").write_text(TESTS)
    names = ("passes", "fails", "leaves_something_behind", "is_not_run")
    return run(folder, *(f"test_tiny.py::test_that_{name}" for name in names))


def test_the_record_has_the_outcome_of_each_test(file: Path) -> None:
    outcomes = {case.test: case.outcome for case in record.read(file).cases}
    assert outcomes == {
        "test_tiny.py::test_that_passes": "passed",
        "test_tiny.py::test_that_fails": "failed",
        "test_tiny.py::test_that_leaves_something_behind": "failed",
        "test_tiny.py::test_that_is_not_run": "skipped",
    }
    assert (record.read(file).passed, record.read(file).failed) == (1, 2)
    assert not record.read(file).proves


def test_figures_are_what_tests_recorded(file: Path) -> None:
    assert record.read(file).cases[0].figures == {"packages": 312}


def test_the_record_says_what_kind_of_machine_ran_it(file: Path) -> None:
    assert record.read(file).machine == record.this_machine()
    assert record.read(file).machine.cores == len(os.sched_getaffinity(0))
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True).stdout.strip()
    assert record.read(file).commit.removesuffix("-dirty") == head


def test_the_record_has_no_host_and_no_path(file: Path) -> None:
    text = file.read_text()
    assert not re.search(rf"\b{re.escape(socket.gethostname())}\b", text)
    assert str(file.parent.parent) not in text and str(PROJECT) not in text and str(Path.home()) + "/" not in text


def test_tests_that_cannot_be_imported_are_told(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_tiny.py").write_text("import no_such_module")
    assert [case.outcome for case in record.read(run(tmp_path, "test_tiny.py")).cases] == ["failed"]


def test_counts_that_are_not_those_of_the_tests_are_refused(file: Path, tmp_path: Path) -> None:
    altered = tmp_path / "tiny.json"
    altered.write_text(json.dumps({**json.loads(file.read_text()), "passed": 4}))
    with pytest.raises(RigforgeError, match="its counts are not those of its tests"):
        record.read(altered)


def test_no_part_on_record_takes_more_than_an_hour_or_forty_gigabytes() -> None:
    records = record.all_in().values()
    slow = [one.part for one in records if one.machine.cores >= 2 and one.minutes > parts.MINUTES]
    assert slow + [one.part for one in records if one.disk_gb > parts.DISK_GB] == []


def test_records_are_of_parts_that_there_are() -> None:
    assert [name for name, one in record.all_in().items() if name not in parts.read() or one.part != name] == []
