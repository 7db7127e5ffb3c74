"""Archives and security updates: those come by themselves, and leave kernel and driver alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from debian.deb822 import Deb822
from testinfra.host import Host

from rigforge.verify.expectations import Expectations

UPDATES = ("machine", "unattended-upgrades")
PROBE = Path(__file__).parent / "probes" / "updates.py"


@pytest.mark.needs("machine", "archives")
def test_the_archives_are_those_of_the_stack(host: Host, expected: Expectations) -> None:
    """The driver's newer versions are in one of them."""
    printed = host.check_output("cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources 2>/dev/null || true")
    lines = [line.split() for line in printed.splitlines()]
    known = {f"{line[2]} {part}" for line in lines if line[:1] == ["deb"] for part in line[3:]}
    for stanza in Deb822.iter_paragraphs(printed):
        suites, components = stanza.get("Suites", "").split(), stanza.get("Components", "").split()
        known |= {f"{suite} {part}" for suite in suites for part in components}
    assert set(expected.archives) <= known


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


@pytest.mark.needs(*UPDATES)
def test_updates_come_by_themselves(host: Host, setting: dict[str, str]) -> None:
    assert setting["APT::Periodic::Update-Package-Lists"] == "1"
    assert setting["APT::Periodic::Unattended-Upgrade"] == "1"
    assert host.check_output("systemctl is-enabled apt-daily-upgrade.timer") == "enabled"


@pytest.mark.needs(*UPDATES)
def test_nothing_reboots_the_machine_and_no_kernel_is_removed(setting: dict[str, str]) -> None:
    assert setting["Unattended-Upgrade::Automatic-Reboot"] == "false"
    assert setting["Unattended-Upgrade::Remove-Unused-Kernel-Packages"] == "false"


@pytest.mark.needs(*UPDATES)
def test_what_is_held_is_not_updated_though_a_newer_one_is_offered(answer: dict[str, Any]) -> None:
    assert set(answer["held"]) <= set(answer["offered"])
    assert answer["taken"] == ["netbase"]
