"""Interfaces beyond the cable: WireGuard, with a key that was made on the machine."""

from __future__ import annotations

import base64

import pytest
from testinfra.host import Host

from rigforge.verify.expectations import Expectations

pytestmark = pytest.mark.needs("machine")


@pytest.mark.needs("wireguard")
def test_wireguard_interfaces_are_up(host: Host, expected: Expectations) -> None:
    for name in expected.wireguard:
        assert "wireguard" in host.check_output("ip -details link show %s", name)
        assert "inet" in host.check_output("ip address show %s", name)


@pytest.mark.needs("wireguard")
def test_wireguard_keys_are_for_root_and_networkd(host: Host) -> None:
    with host.sudo():
        keys = host.check_output("find /etc/wireguard -name '*.key'").split()
        for key in keys:
            assert host.check_output("stat --format=%%U:%%G:%%a %s", key) == "root:systemd-network:640"
            assert len(base64.b64decode(host.file(key).content_string)) == 32


@pytest.mark.needs("wireguard")
def test_report_has_the_public_keys(host: Host) -> None:
    report = host.file("/var/lib/rigforge/report").content_string
    for file in host.check_output("find /etc/wireguard -name '*.pub'").split():
        assert host.file(file).content_string.strip() in report


def test_network_configuration_is_for_root_alone(host: Host) -> None:
    """It may hold keys."""
    with host.sudo():
        found = host.check_output("stat --format=%a /etc/netplan/*.yaml").split()
    assert set(found) == {"600"}
