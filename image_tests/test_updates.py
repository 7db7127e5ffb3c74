"""Security updates: they come by themselves, and leave kernel and driver alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

pytestmark = pytest.mark.needs("machine", "unattended-upgrades")

PROBE = Path(__file__).parent / "probes" / "updates.py"


@pytest.fixture(scope="module")
def setting(host: Host) -> dict[str, str]:
    """apt's configuration, as it is in effect."""
    lines = host.check_output("apt-config dump").splitlines()
    return {line.split(" ", 1)[0]: line.split('"')[1] for line in lines if '"' in line}


@pytest.fixture(scope="module")
def answer(host: Host) -> dict[str, Any]:
    """What is held, what an archive offered, and what unattended-upgrades would take."""
    with host.sudo():
        printed = host.check_output("timeout 900 python3 -c %s", PROBE.read_text())
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found


def test_updates_come_by_themselves(host: Host, setting: dict[str, str]) -> None:
    assert setting["APT::Periodic::Update-Package-Lists"] == "1"
    assert setting["APT::Periodic::Unattended-Upgrade"] == "1"
    assert host.check_output("systemctl is-enabled apt-daily-upgrade.timer") == "enabled"


def test_nothing_reboots_the_machine_and_no_kernel_is_removed(setting: dict[str, str]) -> None:
    assert setting["Unattended-Upgrade::Automatic-Reboot"] == "false"
    assert setting["Unattended-Upgrade::Remove-Unused-Kernel-Packages"] == "false"


def test_what_is_held_is_not_updated_though_a_newer_one_is_offered(answer: dict[str, Any]) -> None:
    assert set(answer["held"]) <= set(answer["offered"])
    assert answer["taken"] == ["netbase"]
