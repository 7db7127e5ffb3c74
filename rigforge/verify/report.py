"""The outcome of a verification: how long it took, what passed, and where the machine is."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rigforge.errors import RigforgeError
from rigforge.verify.serial import Stage


@dataclass(frozen=True)
class Tested:
    """What all reports can do; its fields are those of the kinds below."""

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2, default=str)


@dataclass(frozen=True)
class Report(Tested):
    """One medium, installed and tested under one firmware. Times are seconds.

    `seconds_to_ssh` runs from power-on of the installer to the installed machine's answer over SSH. `disk` is the
    tested machine; Packer keeps none that failed.
    """

    stack: str
    firmware: str
    accelerator: str
    seconds_to_ssh: float
    seconds_of_tests: float
    passed: int
    failed: int
    failures: tuple[str, ...]
    skipped: int
    stages: tuple[Stage, ...]
    disk: Path | None
    private_key: Path
    serial_log: Path

    @property
    def subject(self) -> str:
        """What was tested."""
        return f"{self.stack} ({self.firmware})"

    @property
    def summary(self) -> str:
        """One line for people."""
        counts = f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"
        return f"{self.firmware}: {counts}, {self.seconds_to_ssh:.0f} s to SSH, disk: {self.disk}"

    @property
    def log(self) -> Path:
        """Where the whole output of the tests is."""
        return self.serial_log.parent / "packer.log"


@dataclass(frozen=True)
class ImageReport(Tested):
    """One container image, tested with what `injected` names of a driver. Times are seconds."""

    stack: str
    image: str
    injected: str
    seconds_of_tests: float
    passed: int
    failed: int
    failures: tuple[str, ...]
    skipped: int
    log: Path

    @property
    def subject(self) -> str:
        """What was tested."""
        return f"{self.stack}:{self.image} ({self.injected})"

    @property
    def summary(self) -> str:
        """One line for people."""
        return f"{self.subject}: {self.passed} passed, {self.failed} failed, {self.skipped} skipped"


@dataclass(frozen=True)
class MediumReport(Tested):
    """An ISO as a file, not started. `checks` are what was looked at; `skipped` counts what could not be."""

    stack: str
    iso: str
    checks: tuple[str, ...]
    passed: int
    failed: int
    failures: tuple[str, ...]
    skipped: int
    log: Path

    @property
    def subject(self) -> str:
        """What was tested."""
        return f"{self.stack} ({self.iso})"

    @property
    def summary(self) -> str:
        """A line for each check, and one for people in a hurry."""
        bad_checks = {check for check in self.checks for failure in self.failures if failure.startswith(f"{check}: ")}
        lines = [f"{'FAILED' if check in bad_checks else 'ok'}: {check}" for check in self.checks]
        return "\n".join([*lines, f"medium: {self.passed} passed, {self.failed} failed, {self.skipped} skipped"])


class ImageTestsError(RigforgeError):
    """A medium, machine or container is there and is not as it should be; `report` has the numbers."""

    def __init__(self, report: Report | ImageReport | MediumReport) -> None:
        self.report = report
        total = report.passed + report.failed + report.skipped
        lines = "\n".join(f"  {failure}" for failure in report.failures)
        super().__init__(
            f"{report.failed} of {total} image tests failed on {report.subject}:\n{lines}",
            f"the whole output is in {report.log}",
        )
