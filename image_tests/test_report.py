"""What the machine says of itself before and after a login."""

from __future__ import annotations

import pytest
from testinfra.host import Host

from rigforge.verify.expectations import Expectations

pytestmark = pytest.mark.needs("machine")


@pytest.fixture(scope="module")
def report(host: Host) -> list[str]:
    """The report's lines, written anew now."""
    with host.sudo():
        host.check_output("systemctl start rigforge-report-refresh.service")
    lines: list[str] = host.file("/var/lib/rigforge/report").content_string.splitlines()
    return lines


def test_says_how_to_connect(report: list[str], expected: Expectations) -> None:
    assert f"{expected.hostname}: ssh {expected.username}@{expected.hostname}.local" in report


def test_names_the_addresses(host: Host, report: list[str]) -> None:
    address = host.check_output("ip -oneline -4 address show scope global | awk '{print $4}' | head -1").split("/")[0]
    assert any(line.startswith("addresses: ") and address in line for line in report)


def test_is_shown_at_login(host: Host, report: list[str]) -> None:
    with host.sudo():
        shown = host.check_output("run-parts /etc/update-motd.d").splitlines()
    assert set(report) <= set(shown)


def test_console_shows_name_and_addresses(host: Host) -> None:
    assert host.file("/etc/issue.d/rigforge.issue").content_string.startswith("\\n.local: \\4 \\6\n")


def test_is_kept_up_to_date(host: Host) -> None:
    assert host.check_output("systemctl is-active rigforge-report-refresh.timer") == "active"


def test_has_no_secrets(report: list[str]) -> None:
    assert not [line for line in report if "token" in line.lower() or "PRIVATE" in line]
