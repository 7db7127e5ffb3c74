"""`rigforge-doctor upgrade --plan` on the installed machine: it answers, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from testinfra.host import Host

from rigforge.verify.expectations import Expectations

pytestmark = pytest.mark.needs("machine", "driver")

#: What dpkg and apt know, holds included, and what is booted. Apt's lists its own timer may fetch at any time.
STATE = "cat /var/lib/dpkg/status /var/lib/apt/extended_states; ls -lR /var/lib/dpkg/info /boot | sha256sum"


def test_the_plan_answers_from_the_lists_that_are_there(
    host: Host, expected: Expectations, as_root: Callable[[], AbstractContextManager[object]]
) -> None:
    with as_root():
        before = host.run(STATE).stdout
        told = host.run("timeout 120 rigforge-doctor upgrade --plan --json")
        assert host.run(STATE).stdout == before
    assert told.stderr == ""
    plan = json.loads(told.stdout)
    assert told.rc == {"nothing": 0, "ready": 0, "apart": 1, "unknown": 1}[plan["status"]]
    assert plan["installed"]["kernel"] == expected.versions["kernel"]
    assert plan["installed"]["driver"] == expected.versions["driver"]
    # A fresh machine has never asked an archive, and the tests' one has no network to ask with.
    if plan["status"] == "unknown":
        assert "apt has no package lists yet" in plan["message"]
