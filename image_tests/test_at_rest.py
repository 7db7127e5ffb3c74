"""What the machine takes for itself before anybody works on it; the tests after these start what starts on demand."""

from __future__ import annotations

import time

import pytest
from testinfra.host import Host

from rigforge.verify.expectations import Expectations

#: MiB.
IDLE = 350

#: How long after the boot the machine may take to have reported on itself (seconds).
PATIENCE = 120

pytestmark = pytest.mark.needs("machine")


@pytest.fixture(scope="module", autouse=True)
def reported(host: Host, settled: None) -> None:
    """The machine after the doctor's first look at it, which is to leave it at rest."""
    end, ended = time.monotonic() + PATIENCE, "0"
    while ended == "0" and time.monotonic() < end:
        time.sleep(1)
        ended = host.service("rigforge-report-refresh").systemd_properties["ExecMainExitTimestampMonotonic"]
    assert ended != "0"


def test_idle_machine_leaves_its_memory_to_work(host: Host) -> None:
    host.check_output("sync")
    memory = {
        line.split(":")[0]: int(line.split()[1]) for line in host.file("/proc/meminfo").content_string.splitlines()
    }
    used = (memory["MemTotal"] - memory["MemAvailable"]) / 1024
    assert used <= IDLE, host.check_output("ps -eo rss,args --sort=-rss | cut -c1-100 | head -25")


def test_docker_starts_when_it_is_asked_for(host: Host, expected: Expectations) -> None:
    if "docker.socket" not in expected.services:
        assert not host.exists("dockerd")
        return
    assert host.service("docker").systemd_properties["ActiveState"] == "inactive"
    with host.sudo():
        assert host.check_output("docker info --format '{{.ServerVersion}}'")
    assert host.service("docker").systemd_properties["ActiveState"] == "active"


@pytest.mark.needs("jupyterlab")
def test_jupyterlab_waits_for_somebody_to_connect(host: Host) -> None:
    """The tests of Jupyter connect."""
    assert host.check_output("systemctl --user is-active jupyter.service") == "active"
    assert host.check_output("ss --listening --tcp --numeric --no-header 'sport = :8888'")
    assert host.run("pgrep --full 'jupyterlab[.]labapp'").rc == 1
