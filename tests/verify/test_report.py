"""What a verification reports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.verify.report import ImageTestsError
from rigforge.verify.suite import read_junit
from tests.reports import a_report


def junit(folder: Path, tests: str) -> Path:
    """Has pytest itself run `tests` and write its JUnit file."""
    (folder / "test_it.py").write_text(tests)
    out = folder / "tests.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={out}", "test_it.py"]
    subprocess.run(command, cwd=folder, capture_output=True)
    return out


def test_passes_failures_and_errors_are_counted(tmp_path: Path) -> None:
    results = read_junit(
        junit(
            tmp_path,
            "import pytest\n"
            "def test_good(): pass\n"
            "def test_also_good(): pass\n"
            "def test_bad(): assert 'found' == 'wanted'\n"
            "def test_broken(missing): pass\n",
        )
    )
    assert results.passed == 2
    assert [failure.split(":: ")[0].split(": ")[0] for failure in results.failures] == [
        "test_it::test_bad",
        "test_it::test_broken",
    ]
    assert "'found' == 'wanted'" in results.failures[0]
    assert results.seconds > 0


@pytest.mark.parametrize("text", ["", "import nothing_of_this_name\n"])
def test_a_run_without_tests_is_no_success(tmp_path: Path, text: str) -> None:
    """Nothing collected is an error; a file that cannot be imported counts as a failure."""
    file = junit(tmp_path, text)
    if text:
        assert len(read_junit(file).failures) == 1
    else:
        with pytest.raises(RigforgeError, match="no image test was run"):
            read_junit(file)


def test_missing_results_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(RigforgeError, match="left no results"):
        read_junit(tmp_path / "tests.xml")


def test_report_is_json_for_programs(tmp_path: Path) -> None:
    found = json.loads(a_report(tmp_path, (), tmp_path / "machine.qcow2").to_json())
    assert found["firmware"] == "uefi"
    assert found["seconds_to_ssh"] == 312.5
    assert found["stages"] == [{"seconds": 40.1, "text": "[1/9] reading"}]
    assert found["disk"] == str(tmp_path / "machine.qcow2")


def test_failed_tests_are_named_in_the_error(tmp_path: Path) -> None:
    error = ImageTestsError(a_report(tmp_path, ("test_ssh::test_refuses_root: assert",)))
    assert "1 of 31 image tests failed on smoke (uefi)" in error.message
    assert "test_refuses_root" in error.message
    assert error.exit_code == 1
