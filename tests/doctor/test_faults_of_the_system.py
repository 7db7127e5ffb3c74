"""Every fault of the system around the GPUs, each on a machine that is well otherwise."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rigforge.doctor.checks import containers, storage
from rigforge.doctor.machine import Machine
from rigforge.doctor.nvml import Nvml
from rigforge.machine import pins
from tests.doctor.machines import GIB, KERNEL, Examine, program, write

#: The port of the first card, and the lanes in use from there.
SLOT, CARD_WIDTH = "sys/devices/pci0000:00/0000:00:01.0", "0000:01:00.0/current_link_width"


@pytest.mark.parametrize(
    ("file", "text", "check", "measured"),
    [
        (
            "sys/bus/pci/devices/0000:01:00.0/current_link_width",
            "8",
            "gpu-link-width",
            "×8, though card and slot can ×16",
        ),
        (
            "proc/meminfo",
            f"MemTotal: {16 * GIB // 1024} kB\nMemAvailable: {9 * GIB // 1024} kB\n",
            "memory",
            "16.0 GiB",
        ),
        ("boot/vmlinuz-6.1.0-57-amd64", "", "next-kernel", "6.1.0-57-amd64, which has no NVIDIA module"),
    ],
)
def test_what_the_system_says(
    examine: Examine, healthy: Callable[[int], str], root: Path, file: str, text: str, check: str, measured: str
) -> None:
    told = healthy(1)
    write(root / file, text)
    found = examine(told)["checks"][check]
    assert found["status"] == "warning"
    assert measured in found["measured"]


@pytest.mark.parametrize(
    ("files", "check", "measured"),
    [
        ({"max_link_speed": "8.0 GT/s PCIe"}, "gpu-link-speed", "(the card can 16 GT/s, its slot 8 GT/s)"),
        ({"max_link_width": "8", CARD_WIDTH: "8"}, "gpu-link-width", "×8 (the card can ×16, its slot ×8)"),
    ],
)
def test_a_link_that_is_as_good_as_its_slot_is_a_fact_and_no_trouble(
    examine: Examine, healthy: Callable[[int], str], root: Path, files: dict[str, str], check: str, measured: str
) -> None:
    told = healthy(1)
    for file, text in files.items():
        write(root / SLOT / file, text)
    found = examine(told)["checks"][check]
    assert (found["status"], found["fix"]) == ("ok", "")
    assert found["measured"].endswith(measured)


def test_a_link_below_what_a_narrow_slot_can_is_trouble(
    examine: Examine, healthy: Callable[[int], str], root: Path
) -> None:
    told = healthy(1)
    write(root / SLOT / "max_link_width", "8")
    write(root / SLOT / CARD_WIDTH, "4")
    found = examine(told)["checks"]["gpu-link-width"]
    assert (found["status"], "×4, though card and slot can ×8" in found["measured"]) == ("warning", True)


def test_what_a_pin_holds_is_held(examine: Examine, healthy: Callable[[int], str], root: Path) -> None:
    told = healthy(1)
    program(root, "apt-mark", "true")
    write(root / pins.FILE, pins.text({f"linux-image-{KERNEL}": "6.1.1-1", "libcuda1": "580.95.05-1"}))
    found = examine(told)["checks"]["held-packages"]
    assert (found["status"], found["measured"]) == ("ok", f"2 packages, linux-image-{KERNEL} among them")


@pytest.mark.parametrize(
    ("name", "script", "check", "status", "measured"),
    [
        ("dmesg", "echo 'NVRM: Xid (PCI:0000:01:00): 79, fallen off'", "gpu-xid", "failed", "fallen off the bus"),
        ("dmesg", "echo 'NVRM: Xid (PCI:0000:01:00): 31, pid=7'", "gpu-xid", "warning", "Xid 31 ×1"),
        ("dmesg", "exit 1", "gpu-xid", "n/a", "root only"),
        ("sshd", "echo permitrootlogin yes", "ssh", "failed", "root may log in"),
        ("sshd", "echo passwordauthentication yes", "ssh", "warning", "passwords are accepted"),
        ("timedatectl", "echo no", "clock", "warning", "not synchronised"),
        ("systemctl", "echo inactive; exit 3", "firewall", "warning", "none is active"),
        ("apt-mark", "true", "held-packages", "warning", "no kernel is held"),
        ("apt-mark", "echo linux-image-6.1.0-1-amd64", "held-packages", "warning", f"running is {KERNEL}"),
        ("docker", "echo cannot connect >&2; exit 1", "container-runtime", "warning", "cannot connect"),
        ("docker", "echo '{}'", "container-runtime", "ok", "docker, CDI"),
    ],
)
def test_what_a_program_of_the_machine_says(
    examine: Examine,
    healthy: Callable[[int], str],
    root: Path,
    name: str,
    script: str,
    check: str,
    status: str,
    measured: str,
) -> None:
    told = healthy(1)
    (root / "etc/rigforge").mkdir()
    program(root, name, script)
    found = examine(told)["checks"][check]
    assert (found["status"], measured in found["measured"]) == (status, True), found


#: Debian's own nftables.conf, which filters nothing, as nft lists it.
OPEN = """table inet filter {
	chain input {
		type filter hook input priority filter; policy accept;
	}
}"""


@pytest.mark.parametrize(
    ("script", "status", "measured"),
    [
        (f"echo '{OPEN}'", "warning", "no rule for what comes in"),
        (f"echo '{OPEN.replace('policy accept', 'policy drop')}'", "ok", "nftables is active"),
        (
            f"echo '{OPEN.replace('accept;', 'accept; tcp dport { 22, 80 } accept; reject')}'",
            "ok",
            "nftables is active",
        ),
        ("true", "warning", "no rule for what comes in"),
        ("echo Operation not permitted >&2; exit 1", "ok", "nftables is active"),
    ],
)
def test_the_rules_of_an_active_firewall(
    examine: Examine, healthy: Callable[[int], str], root: Path, script: str, status: str, measured: str
) -> None:
    told = healthy(0)
    program(root, "nft", script)
    found = examine(told)["checks"]["firewall"]
    assert (found["status"], measured in found["measured"]) == (status, True), found


@pytest.mark.parametrize(
    ("told_by_disk", "status"),
    [
        ('{"smart_status": {"passed": true}, "nvme_smart_health_information_log": {"percentage_used": 3}}', "ok"),
        ('{"smart_status": {"passed": true}, "nvme_smart_health_information_log": {"percentage_used": 97}}', "warning"),
        ('{"smart_status": {"passed": true}, "nvme_smart_health_information_log": {"media_errors": 4}}', "warning"),
        ('{"smart_status": {"passed": false}}', "failed"),
        ("", "n/a"),
    ],
)
def test_the_health_of_a_disk(
    examine: Examine, healthy: Callable[[int], str], root: Path, told_by_disk: str, status: str
) -> None:
    told = healthy(0)
    (root / "sys/block/nvme0n1").mkdir(parents=True)
    program(root, "smartctl", f"echo '{told_by_disk}'")
    assert examine(told)["checks"]["disk-health"]["status"] == status


def test_a_stick_that_tells_nothing_hides_no_other_disk(
    examine: Examine, healthy: Callable[[int], str], root: Path
) -> None:
    told = healthy(0)
    for disk in ("nvme0n1", "sda"):
        (root / "sys/block" / disk).mkdir(parents=True)
    failing = json.dumps({"smart_status": {"passed": False}})
    program(root, "smartctl", f"case $4 in */sda) exit 2;; *) echo '{failing}';; esac")
    found = examine(told)["checks"]["disk-health"]
    assert (found["status"], found["measured"]) == ("failed", "nvme0n1 says that it is failing")


def test_a_notebook_that_everybody_reaches(examine: Examine, healthy: Callable[[int], str], root: Path) -> None:
    told = healthy(0)
    head = "  sl  local_address rem_address   st\n"
    write(root / "proc/net/tcp", f"{head}   0: 00000000:22B8 00000000:0000 0A\n")
    found = examine(told)["checks"]["jupyter"]
    assert (found["status"], found["measured"]) == ("warning", "listens on 0.0.0.0")
    write(root / "etc/rigforge/jupyter.conf", "RIGFORGE_JUPYTER_LISTEN=lan\n")
    assert examine(told)["checks"]["jupyter"]["status"] == "ok"
    write(root / "proc/net/tcp", f"{head}   0: 0100007F:22B8 00000000:0000 0A\n")
    assert examine(told)["checks"]["jupyter"]["status"] == "ok"


#: A Docker with one image of Rigforge's; `run` is what happens when a container of it is started.
DOCKER = """case "$1" in
    info) echo '{info}';;
    images) echo 0123456789ab;;
    run) {run};;
esac"""


@pytest.mark.parametrize(
    ("info", "run", "runtime", "start", "measured"),
    [
        ('{"Runtimes": {"nvidia": {}}}', "echo GPU 0; echo GPU 1", "ok", "ok", "0123456789ab started with 2 GPUs"),
        ("{}", "true", "failed", "n/a", "no way to hand a GPU over"),
        (
            '{"Runtimes": {"nvidia": {}}}',
            "echo WARNING: slow >&2; echo docker: Error response: no adapters >&2; echo See --help >&2; exit 125",
            "ok",
            "failed",
            "did not start: docker: Error response: no adapters",
        ),
        ('{"Runtimes": {"nvidia": {}}}', "exit 3", "ok", "failed", "did not start: exit code 3"),
    ],
)
def test_docker_hands_the_gpus_over_or_not(
    examine: Examine,
    healthy: Callable[[int], str],
    root: Path,
    info: str,
    run: str,
    runtime: str,
    start: str,
    measured: str,
) -> None:
    told = healthy(2)
    (root / "etc/cdi/nvidia.yaml").unlink()
    program(root, "docker", DOCKER.replace("{info}", info).replace("{run}", run))
    found = examine(told)["checks"]
    assert (found["container-runtime"]["status"], found["container-start"]["status"]) == (runtime, start)
    assert measured in found["container-start"]["measured"]


@pytest.mark.parametrize(("states", "runtime"), [("active inactive", "n/a"), ("active active", "ok")])
def test_a_machine_at_rest_is_left_so(root: Path, healthy: Callable[[int], str], states: str, runtime: str) -> None:
    healthy(2)
    program(root, "systemctl", f"printf '%s\\n' {states}; exit 3")
    program(root, "docker", f"echo \"$1\" >> {root}/asked; echo '{{}}'")
    checks = containers.checks(Machine(Nvml(), root, f"{root}/bin", at_rest=True))
    assert [check.status for check in checks] == [runtime, "n/a"]
    assert (root / "asked").exists() == (runtime == "ok")


def test_swap_that_is_in_use(examine: Examine, healthy: Callable[[int], str], root: Path) -> None:
    told = healthy(0)
    sizes = {"MemTotal": 64, "MemAvailable": 30, "SwapTotal": 8, "SwapFree": 1}
    write(root / "proc/meminfo", "".join(f"{name}: {size * GIB // 1024} kB\n" for name, size in sizes.items()))
    found = examine(told)["checks"]["swap"]
    assert (found["status"], found["measured"]) == ("warning", "7.0 of 8.0 GiB in use")


@pytest.mark.parametrize(("free", "status"), [(300, "ok"), (15, "warning"), (0.5, "failed")])
def test_a_disk_that_fills_up(root: Path, monkeypatch: pytest.MonkeyPatch, free: float, status: str) -> None:
    root.mkdir()
    told = os.statvfs_result((4096, 4096, 500 * GIB // 4096, 0, int(free * GIB) // 4096, 0, 0, 0, 0, 255))
    monkeypatch.setattr("os.statvfs", lambda folder: told)
    (found, _) = storage.checks(Machine(Nvml(), root))
    assert found.status == status, found


def test_in_a_container_the_host_is_not_looked_at(examine: Examine, healthy: Callable[[int], str], root: Path) -> None:
    told = healthy(1)
    write(root / ".dockerenv", "")
    found = examine(told)["checks"]
    assert {found[name]["status"] for name in ("secure-boot", "ssh", "firewall", "held-packages")} == {"n/a"}
    assert found["gpu-bus"]["status"] == "ok"
