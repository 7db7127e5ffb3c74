"""The cards of the machine are remembered at its first start."""

from __future__ import annotations

import pytest
from testinfra.host import Host

pytestmark = pytest.mark.needs("machine", "driver")


def test_cards_are_remembered_and_none_never(host: Host) -> None:
    there = host.run("grep -lx 0x10de /sys/bus/pci/devices/*/vendor").rc == 0
    assert host.file("/var/lib/rigforge/cards.json").exists == there
    assert host.check_output("systemctl is-enabled rigforge-remember.service") == "enabled"
    assert host.check_output("systemctl show --property=Result --value rigforge-remember.service") == "success"
