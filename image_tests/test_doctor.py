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
    """sshd -T, dmesg, timedatectl and systemctl, each as it is there."""
    assert answer["machine"]["kernel"] == expected.versions["kernel"]
    assert not answer["machine"]["container"]
    assert (checks["ssh"]["status"], checks["ssh"]["measured"]) == ("ok", "keys only, no root")
    assert checks["gpu-xid"]["measured"] == "none since the machine was started"
    assert checks["clock"]["status"] in ("ok", "warning")
    assert checks["firewall"]["status"] in ("ok", "warning")
