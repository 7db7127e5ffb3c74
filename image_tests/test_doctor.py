"""rigforge-doctor, which every machine and every image has: it starts, and finds nothing failed that is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from testinfra.host import Host

from rigforge.verify.expectations import Expectations

SCHEMA = Path(__file__).parents[1] / "docs/doctor.schema.json"

PROGRAM = "/usr/bin/rigforge-doctor"

#: Seconds; a container runs on the processor itself, while a machine under test may have an emulated one.
QUICK = 3


@pytest.fixture(scope="module")
def answer(host: Host, as_root: Callable[[], AbstractContextManager[object]]) -> dict[str, Any]:
    """What it says to root."""
    with as_root():
        done = host.run(f"{PROGRAM} --json")
    assert done.rc in (0, 1, 2), done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert done.rc == ("ok", "warning", "failed").index(told["verdict"])
    return told


@pytest.fixture(scope="module")
def checks(answer: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {check["id"]: check for check in answer["checks"]}


def test_its_answer_is_as_documented(answer: dict[str, Any]) -> None:
    jsonschema.validate(answer, json.loads(SCHEMA.read_text()))


def test_nothing_has_failed(checks: dict[str, dict[str, str]]) -> None:
    """There may be no GPU, no driver, no network: that is nothing wrong."""
    assert [check for check in checks.values() if check["status"] == "failed"] == []


def test_without_a_gpu_it_says_so(checks: dict[str, dict[str, str]], has_gpu: bool) -> None:
    if not has_gpu:
        assert checks["gpu-bus"]["status"] == "n/a"
        assert "no NVIDIA GPU" in checks["gpu-bus"]["measured"]


@pytest.mark.needs("container")
def test_in_a_container_it_starts_at_once(host: Host) -> None:
    took = host.check_output("sh -c 'date +%%s%%N; %s --help >/dev/null; date +%%s%%N'", PROGRAM).split()
    assert (int(took[1]) - int(took[0])) / 1e9 < QUICK


@pytest.mark.needs("container")
def test_a_container_knows_that_it_is_one(answer: dict[str, Any], checks: dict[str, dict[str, str]]) -> None:
    assert answer["machine"]["container"]
    assert checks["ssh"]["measured"] == "this is a container" or checks["ssh"]["status"] == "n/a"


@pytest.mark.needs("machine")
def test_it_has_asked_the_machines_own_programs(
    answer: dict[str, Any], checks: dict[str, dict[str, str]], expected: Expectations
) -> None:
    """sshd -T, dmesg and timedatectl, each as it is there."""
    assert answer["machine"]["kernel"] == expected.versions["kernel"]
    assert not answer["machine"]["container"]
    assert (checks["ssh"]["status"], checks["ssh"]["measured"]) == ("ok", "keys only, no root")
    assert checks["gpu-xid"]["measured"] == "none since the machine was started"
    assert checks["clock"]["status"] in ("ok", "warning")


@pytest.mark.needs("machine")
def test_it_says_of_the_firewall_what_nft_says(
    host: Host,
    checks: dict[str, dict[str, str]],
    expected: Expectations,
    as_root: Callable[[], AbstractContextManager[object]],
) -> None:
    with as_root():
        rules = host.run("nft list ruleset")
        active = host.run("systemctl is-active nftables").stdout.strip() == "active"
    assert rules.rc == 0 or "nftables" not in expected.debs, rules.stderr
    closed = active and "hook input" in rules.stdout and ("drop" in rules.stdout or "reject" in rules.stdout)
    assert checks["firewall"]["status"] == ("ok" if closed else "warning")


@pytest.mark.needs("machine")
def test_it_asks_every_disk_that_tells_its_health(host: Host, checks: dict[str, dict[str, str]]) -> None:
    """A virtual machine's disk tells nothing, unless it is one of NVMe; nor does a stick."""
    disks = host.check_output("ls /sys/block").split()
    fixed = [disk for disk in disks if host.file(f"/sys/block/{disk}/removable").content_string.strip() == "0"]
    told = [disk for disk in fixed if disk.startswith(("nvme", "sd"))]
    there = host.run("command -v smartctl || test -x /usr/sbin/smartctl").rc == 0
    health = checks["disk-health"]
    if told and there:
        assert health["status"] == "ok"
        assert all(disk in health["measured"] for disk in told)
    else:
        assert health["status"] == "n/a"
