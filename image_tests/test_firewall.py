"""What of the machine can be reached from outside: SSH, its name, what was opened, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

from rigforge.verify.expectations import Expectations

pytestmark = pytest.mark.needs("machine")

PROBE = Path(__file__).parent / "probes" / "outside.py"

#: Nobody opens these; the probe listens on them.
CLOSED = ("8000/tcp", "8889/tcp", "47000/udp")


@pytest.fixture(scope="module")
def opened(expected: Expectations) -> list[str]:
    """The first port of each range that is open."""
    return ["22/tcp", *(port.split("-")[0].split("/")[0] + port[port.index("/") :] for port in expected.open_ports)]


@pytest.fixture(scope="module")
def outside(host: Host, expected: Expectations, opened: list[str]) -> dict[str, Any]:
    """What another machine can reach."""
    with host.sudo():
        name = f"{expected.hostname}.local"
        printed = host.check_output(
            "timeout 300 python3 -c %s " + " ".join([name, *opened, *CLOSED]), PROBE.read_text()
        )
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found


def test_open_ports_answer_and_others_do_not(outside: dict[str, Any], opened: list[str]) -> None:
    assert {"22/tcp", *CLOSED} <= set(outside["asked"])
    assert outside["answered"] == [port for port in outside["asked"] if port in opened]


def test_of_all_ports_none_lets_anybody_in_but_those(outside: dict[str, Any], expected: Expectations) -> None:
    ranges = ("22/tcp", *(port for port in expected.open_ports if port.endswith("/tcp")))
    bounds = [port.removesuffix("/tcp").split("-") for port in ranges]
    opened = {f"{port}/tcp" for bound in bounds for port in range(int(bound[0]), int(bound[-1]) + 1)}
    assert "22/tcp" in outside["open"]
    assert set(outside["open"]) <= opened


def test_ports_of_the_site_are_open(host: Host, expected: Expectations) -> None:
    with host.sudo():
        ruleset = json.loads(host.check_output("nft --json list table inet rigforge"))["nftables"]
    elements = {entry["set"]["name"]: entry["set"].get("elem", []) for entry in ruleset if "set" in entry}
    found = {
        f"{'-'.join(map(str, port['range'])) if isinstance(port, dict) else port}/{name.removeprefix('open_')}"
        for name, ports in elements.items()
        for port in ports
    }
    assert found == {"22/tcp", *expected.open_ports}


def test_name_is_answered_in_the_local_network(outside: dict[str, Any]) -> None:
    assert outside["name"] == ["10.213.7.1"]


def test_machine_finds_names_of_the_local_network(host: Host, expected: Expectations) -> None:
    assert host.run("getent hosts %s.local", expected.hostname).rc == 0


def test_what_is_not_named_is_dropped(host: Host) -> None:
    with host.sudo():
        chain = host.check_output("nft list chain inet rigforge input")
    assert "hook input" in chain
    assert "policy drop" in chain


def test_a_mistake_in_one_of_its_files_opens_nothing_and_leaves_ssh(host: Host) -> None:
    with host.sudo():
        host.check_output("echo 'add element inet nowhere { 1 }' >/etc/rigforge/firewall.d/mistake.nft")
        assert host.run("systemctl restart nftables").rc != 0
        chain = host.check_output("nft list table inet rigforge")
        host.check_output("rm /etc/rigforge/firewall.d/mistake.nft && systemctl restart nftables")
    assert "policy drop" in chain
    assert "22" in chain


def test_tables_of_container_engines_survive_a_reload(host: Host) -> None:
    with host.sudo():
        host.check_output("nft add table ip somebody-elses")
        host.check_output("systemctl reload nftables")
        tables = host.check_output("nft list tables").splitlines()
        host.check_output("nft delete table ip somebody-elses")
    assert {"table inet rigforge", "table ip somebody-elses"} <= set(tables)
    assert not [table for table in tables if table.startswith("table inet filter")]
