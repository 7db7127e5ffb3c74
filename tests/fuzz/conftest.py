"""Says at the end how many inputs the parsers had."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    cases = [value for report in reports for name, value in report.user_properties if name == "cases"]
    if cases:
        terminalreporter.write_line(f"fuzzing: {sum(cases)} inputs to {len(cases)} parsers")
