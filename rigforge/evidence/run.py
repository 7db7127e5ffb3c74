"""Run of one part of the tests, and the record of it."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rigforge.attest import provenance
from rigforge.evidence import record
from rigforge.evidence.parts import SLOW, Part
from rigforge.evidence.record import Case, Record
from rigforge.paths import PROJECT, home
from rigforge.process import run as run_command

#: Seconds between two looks at how full the disk is.
_INTERVAL = 2.0


def run(part: Part, tests: Path = PROJECT / "tests") -> Record:
    """Runs the tests of a part, which say what they do on the way, and returns the record.

    Raises KeyboardInterrupt where the run was interrupted: what was not run to its end has no record.
    """
    commit, machine, recorder, start = revision(), record.this_machine(), Recorder(f"{tests.name}/"), time.monotonic()
    with disk_use() as use:
        options = ["-s", "-v", "-m", SLOW, "--rootdir", str(tests.parent), "--continue-on-collection-errors"]
        code = pytest.main([*options, *(str(tests / name) for name in part.tests)], plugins=[recorder])
    if code == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    minutes = round((time.monotonic() - start) / 60, 1)
    day, cases = datetime.now(UTC).date().isoformat(), tuple(recorder.cases.values())
    return Record(part.name, commit, day, machine, minutes, round(use.peak / 1e9, 1), cases)


class Recorder:
    """Plugin of pytest that keeps the outcome of each test, setting up and tearing down included."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.cases: dict[str, Case] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.removeprefix(self.prefix)
        case = self.cases.get(name, Case(name, "passed", 0.0, {}))
        outcome = report.outcome if report.outcome != "passed" else case.outcome
        seconds = round(case.seconds + report.duration, 1)
        self.cases[name] = replace(case, outcome=outcome, seconds=seconds, figures=dict(report.user_properties))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            name = report.nodeid.removeprefix(self.prefix)
            self.cases[name] = Case(name, "failed", 0.0, {})


def revision(project: Path = PROJECT) -> str:
    """Returns the commit of the checkout, with `-dirty` where files differ from it that a run does not write itself."""
    described = provenance.revision()
    if not described.endswith("-dirty"):
        return described
    others = ("--", ".", ":!evidence/records", ":!README.md")
    status = run_command(["git", "-c", "safe.directory=*", "status", "--porcelain", "-uno", *others], cwd=project)
    return described if status.stdout.strip() else described.removesuffix("-dirty")


@dataclass
class DiskUse:
    """Most that a file system has grown by (bytes), so far."""

    peak: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def watch(self, folder: Path) -> None:
        start = shutil.disk_usage(folder).used
        while True:
            ended = self.ended.wait(_INTERVAL)
            self.peak = max(self.peak, shutil.disk_usage(folder).used - start)
            if ended:
                return


@contextmanager
def disk_use() -> Iterator[DiskUse]:
    """Watches the file system of the state directory while the block runs."""
    use, folder = DiskUse(), home()
    folder.mkdir(parents=True, exist_ok=True)
    watch = threading.Thread(target=use.watch, args=(folder,), daemon=True)
    watch.start()
    try:
        yield use
    finally:
        use.ended.set()
        watch.join()
