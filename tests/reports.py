"""A report as a verification makes it."""

from __future__ import annotations

from pathlib import Path

from rigforge.verify.report import Report
from rigforge.verify.serial import Stage


def a_report(folder: Path, failures: tuple[str, ...], disk: Path | None = None) -> Report:
    return Report(
        stack="smoke",
        firmware="uefi",
        accelerator="kvm",
        seconds_to_ssh=312.5,
        seconds_of_tests=20.0,
        passed=30,
        failed=len(failures),
        failures=failures,
        skipped=0,
        stages=(Stage(40.1, "[1/9] reading"),),
        disk=disk,
        private_key=folder / "id_ed25519",
        serial_log=folder / "serial.log",
    )
