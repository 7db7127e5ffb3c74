"""The machine's own name, people, place and time, and what runs on it."""

from __future__ import annotations

import json
import re

import pytest
from testinfra.host import Host

from rigforge.verify.expectations import Expectations

#: Of 10, as systemd-analyze(1) judges what a service is kept from.
MOST_EXPOSED = 4.0

pytestmark = pytest.mark.needs("machine")


def test_hostname(host: Host, expected: Expectations) -> None:
    assert host.check_output("hostname") == expected.hostname
    assert host.run("getent hosts %s", expected.hostname).rc == 0


def test_user_has_a_home_and_a_shell_and_no_password(host: Host, expected: Expectations) -> None:
    user = host.user(expected.username)
    assert user.uid >= 1000
    assert user.shell == "/bin/bash"
    assert host.file(user.home).user == expected.username
    with host.sudo():
        status = host.check_output("passwd --status %s", expected.username).split()
    assert status[1] in ("L", "LK")


def test_user_becomes_root_with_sudo(host: Host) -> None:
    assert host.check_output("sudo -n id -u") == "0"


def test_root_has_no_password(host: Host) -> None:
    with host.sudo():
        assert host.check_output("passwd --status root").split()[1] in ("L", "LK")


def test_locale_is_set_and_exists(host: Host, expected: Expectations) -> None:
    assert re.search(rf"LANG={re.escape(expected.locale)}$", host.check_output("localectl status"), re.MULTILINE)
    charmap = host.run("LC_ALL=%s locale charmap", expected.locale)
    assert charmap.stderr == ""
    if expected.locale.endswith("UTF-8"):
        assert charmap.stdout.strip() == "UTF-8"


def test_time_zone(host: Host, expected: Expectations) -> None:
    assert host.check_output("timedatectl show --property=Timezone --value") == expected.timezone


def test_clock_is_kept_by_a_time_service(host: Host) -> None:
    assert host.check_output("timedatectl show --property=NTP --value") == "yes"


def test_services_are_enabled(host: Host, expected: Expectations) -> None:
    states = {unit: host.run("systemctl is-enabled %s", unit).stdout.strip() for unit in expected.services}
    assert {unit: state for unit, state in states.items() if state not in ("enabled", "static", "alias")} == {}


def test_services_run_unless_the_hardware_for_them_is_missing(host: Host, expected: Expectations) -> None:
    wrong = {}
    for unit in expected.services:
        show = host.check_output("systemctl show --property=ActiveState,ConditionResult,Type %s", unit)
        found = dict(line.split("=", 1) for line in show.splitlines())
        # A condition such as ConditionPathExists=/dev/nvidia0 is how a unit says that it has nothing to do here.
        if found["ActiveState"] != "active" and found["ConditionResult"] != "no":
            wrong[unit] = found
    assert wrong == {}


def test_no_unit_has_failed(host: Host) -> None:
    assert host.check_output("systemctl list-units --failed --no-legend --plain") == ""
    assert host.check_output("systemctl is-system-running") == "running"


def test_our_services_can_do_little_besides_their_work(host: Host) -> None:
    listed = host.check_output("systemctl list-unit-files --no-legend --plain 'rigforge-*.service'")
    units = [line.split()[0] for line in listed.splitlines()]
    assert "rigforge-report.service" in units
    judged = {
        unit: host.check_output("systemd-analyze security --no-pager %s", unit).splitlines()[-1] for unit in units
    }
    exposures = {unit: float(re.sub(r".*: ([0-9.]+) .*", r"\1", line)) for unit, line in judged.items()}
    assert {unit: exposure for unit, exposure in exposures.items() if exposure > MOST_EXPOSED} == {}


def test_first_boot_went_through(host: Host) -> None:
    result = json.loads(host.file("/run/cloud-init/result.json").content_string)["v1"]
    assert result["errors"] == []


def test_later_boots_are_without_cloud_init(host: Host) -> None:
    assert host.file("/etc/cloud/cloud-init.disabled").exists


def test_security_updates_have_somewhere_to_come_from(host: Host) -> None:
    with host.sudo():
        wanted = host.check_output("apt-get --print-uris update")
    assert re.search(r"/dists/[a-z]+-security/InRelease", wanted)


def test_machine_id_is_this_machines_own(host: Host) -> None:
    assert re.fullmatch(r"[0-9a-f]{32}\n", host.file("/etc/machine-id").content_string)
    assert made_here(host, "/etc/machine-id")


def test_ssh_host_keys_are_this_machines_own(host: Host) -> None:
    keys = host.check_output("ls -1 /etc/ssh/ssh_host_*_key").split()
    assert keys
    assert [key for key in keys if not made_here(host, key)] == []


def test_no_nvme_host_id_is_from_the_image(host: Host) -> None:
    """Many machines would be one and the same host to a storage network."""
    ids = host.run("ls -1 /etc/nvme/host*").stdout.split()
    assert [path for path in ids if not made_here(host, path)] == []


def made_here(host: Host, path: str) -> bool:
    """Tells whether a file was written after the root file system was made; what a layer holds is older."""
    with host.sudo():
        file_system = int(host.check_output("stat --format=%W /"))
        file = int(host.check_output("stat --format=%%Y %s", path))
    assert file_system > 0, "the root file system does not say when it was made"
    return file >= file_system
