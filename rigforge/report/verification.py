"""What verify-iso and verify-images left: which tests passed, on what, and how long it took."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rigforge.artifacts import ARTIFACTS
from rigforge.foreign import leaving_out
from rigforge.verify.files import REPORT


@dataclass(frozen=True)
class Verification:
    """One machine or container that was tested. `boot` (power-on of the installer to SSH) and `tests` are seconds.

    `when` is the time of its report, `of` the id of the medium that was installed; both are empty where unknown.
    """

    subject: str
    passed: int
    failed: int
    skipped: int
    failures: tuple[str, ...]
    boot: float | None
    tests: float
    when: str
    of: str


@dataclass(frozen=True)
class Unfinished:
    """A verification that left no report: the machine or container did not get as far as being tested."""

    subject: str
    folder: Path


def find(stack: str, folder: Path) -> tuple[Verification | Unfinished, ...]:
    """Returns the last verification of each firmware and image, from the folder of all results."""
    trials = {subject: place for artifact in ARTIFACTS for subject, place in artifact.trials.items()}
    places = {subject: folder / place.format(stack=stack) for subject, place in trials.items()}
    return tuple(_read(subject, place) for subject, place in places.items() if place.is_dir())


def _read(subject: str, folder: Path) -> Verification | Unfinished:
    file, expectations = folder / REPORT, folder / "expectations.json"
    if not file.exists():
        return Unfinished(subject, folder)
    with leaving_out(file):
        report: dict[str, Any] = json.loads(file.read_text())
        expected = json.loads(expectations.read_text()) if expectations.exists() else {}
        return _verification(subject, file, report, expected)
    return Unfinished(subject, folder)


def _verification(subject: str, file: Path, report: dict[str, Any], expectations: dict[str, Any]) -> Verification:
    return Verification(
        subject=f"{subject} ({report.get('accelerator') or report.get('injected')})",
        passed=int(report["passed"]),
        failed=int(report["failed"]),
        skipped=int(report["skipped"]),
        failures=tuple(map(str, report["failures"])),
        boot=None if (boot := report.get("seconds_to_ssh")) is None else float(boot),
        tests=float(report["seconds_of_tests"]),
        when=f"{datetime.fromtimestamp(file.stat().st_mtime, UTC):%Y-%m-%d %H:%M} UTC",
        of=str(expectations.get("medium_id", "")),
    )
