"""Every fault that the doctor knows, each on a machine that is well otherwise."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import machines
import pytest
from machines import GIB, KERNEL, Examine, program, write

from rigforge.doctor.checks import storage
from rigforge.doctor.machine import Machine
from rigforge.doctor.nvml import Nvml


@pytest.mark.parametrize("gpus", [1, 2, 4, 8])
def test_a_healthy_machine_has_nothing_but_a_pytorch_to_wish_for(
    examine: Examine, healthy: Callable[[int], str], gpus: int
) -> None:
    answer = examine(healthy(gpus))
    others = {name: check["status"] for name, check in answer["checks"].items() if name != "compatibility"}
    assert set(others.values()) <= {"ok", "n/a"}, others
    assert "no PyTorch" in answer["checks"]["compatibility"]["measured"]
    assert answer["checks"]["gpu-bus"]["measured"] == f"{gpus} on the bus, {gpus} in the driver"
    assert len(answer["machine"]["gpus"]) == gpus


def test_without_a_gpu_nothing_fails_and_what_was_not_looked_at_is_said(
    examine: Examine, healthy: Callable[[int], str]
) -> None:
    answer = examine(healthy(0))
    assert answer["verdict"] == "ok"
    assert answer["checks"]["gpu-temperature"]["status"] == "n/a"


def test_eight_gpus_take_less_than_three_seconds_of_the_processor(
    examine: Examine, healthy: Callable[[int], str]
) -> None:
    told = healthy(8)
    start = sum(os.times()[2:4])
    examine(told)
    assert sum(os.times()[2:4]) - start < 3


@pytest.mark.parametrize(
    ("changed", "check", "status", "measured"),
    [
        ({"temperature": 91}, "gpu-temperature", "failed", "91 °C"),
        ({"temperature": 86}, "gpu-temperature", "warning", "86 °C"),
        ({"temperature": 80, "fan": 0}, "gpu-fan", "failed", "0 % at 80 °C"),
        ({"power_limit": 250_000}, "gpu-power", "warning", "limit 250 W, default 450 W"),
        ({"reasons": "0x80"}, "gpu-throttle", "warning", "power brake"),
        ({"reasons": "0x40"}, "gpu-throttle", "warning", "heat"),
        ({"persistence": 0}, "gpu-persistence", "warning", "off"),
        ({"uncorrected": 2}, "gpu-ecc", "failed", "2 uncorrected errors"),
        ({"remap_failed": 1}, "gpu-ecc", "failed", "could not be replaced"),
        ({"remap_pending": 1}, "gpu-ecc", "warning", "next reset"),
        ({"ecc": 0}, "gpu-ecc", "warning", "ECC is off"),
        ({"temperature": "!15"}, "gpu-bus", "failed", "GPU is lost"),
        ({"handle": "!15"}, "gpu-bus", "failed", "GPU is lost"),
    ],
)
def test_what_one_of_two_gpus_says(
    examine: Examine, root: Path, changed: dict[str, object], check: str, status: str, measured: str
) -> None:
    machines.machine(root, 2)
    found = examine(machines.answers(2, gpu1=changed))["checks"][check]
    assert (found["status"], measured in found["measured"]) == (status, True), found
    assert "GPU 1" in found["measured"]
    assert found["fix"]


@pytest.mark.parametrize(
    ("state", "status", "measured"),
    [
        (1, "warning", "none between GPUs 0–1: the chipset does not pass it on"),
        (2, "ok", "usual for cards of the GeForce line"),
        (3, "warning", "different I/O hubs"),
        (4, "warning", "switched off in the driver's settings"),
        (5, "ok", "does not support it for this pair"),
        (6, "warning", "does not know why"),
        (99, "warning", "does not know why"),
        ("!3", "n/a", "the driver does not say"),
    ],
)
def test_two_gpus_that_do_not_reach_each_other(
    examine: Examine, root: Path, state: object, status: str, measured: str
) -> None:
    """NVML's reasons (nvml.h, nvmlGpuP2PStatus_t), one that it does not have yet, and a driver that does not tell."""
    machines.machine(root, 2)
    found = examine(machines.answers(2, gpu0={"peers": state}))["checks"]["gpu-peers"]
    assert (found["status"], measured in found["measured"]) == (status, True), found
    assert bool(found["fix"]) == (status == "warning")


def test_of_four_gpus_the_pairs_are_named_by_what_keeps_them_apart(examine: Examine, root: Path) -> None:
    machines.machine(root, 4)
    apart = {"gpu0": {"peers.2": 3, "peers.3": 3}, "gpu1": {"peers.2": 3, "peers.3": 2}}
    found = examine(machines.answers(4, **apart))["checks"]["gpu-peers"]
    assert found["status"] == "warning"
    assert found["measured"] == "none between GPUs 0–2, 0–3, 1–2: they are on different I/O hubs"


def test_a_seated_card_that_the_driver_does_not_see(examine: Examine, root: Path) -> None:
    machines.machine(root, 3)
    found = examine(machines.answers(2))["checks"]["gpu-bus"]
    assert found["status"] == "failed"
    assert machines.address(2) in found["measured"]


def test_a_driver_that_does_not_answer(examine: Examine, healthy: Callable[[int], str]) -> None:
    found = examine(healthy(1) + "init !18\n")["checks"]
    assert "version mismatch" in found["gpu-bus"]["measured"]
    assert found["driver-user-space"]["status"] == "failed"


@pytest.mark.parametrize(
    ("file", "text", "check", "measured"),
    [
        (
            "sys/bus/pci/devices/0000:01:00.0/current_link_width",
            "8",
            "gpu-link-width",
            "×8, though card and slot can ×16",
        ),
        ("sys/devices/pci0000:00/0000:00:01.0/max_link_speed", "8.0 GT/s PCIe", "gpu-link-speed", "its slot 8 GT/s"),
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


def test_nouveau_and_a_module_that_is_not_loaded(examine: Examine, healthy: Callable[[int], str], root: Path) -> None:
    told = healthy(1)
    (root / "proc/driver/nvidia/version").unlink()
    (root / "sys/module/nouveau").mkdir(parents=True)
    found = examine(told)["checks"]
    assert found["nouveau"]["status"] == found["driver-module"]["status"] == "failed"


def test_libraries_of_another_version(examine: Examine, healthy: Callable[[int], str], root: Path) -> None:
    told = healthy(1)
    folder = root / "usr/lib/x86_64-linux-gnu"
    (folder / "libcuda.so.1").unlink()
    write(folder / "libcuda.so.570.10.01", "")
    (folder / "libcuda.so.1").symlink_to("libcuda.so.570.10.01")
    found = examine(told)["checks"]["driver-user-space"]
    assert found["status"] == "failed"
    assert "the libraries are 570.10.01" in found["measured"]


@pytest.mark.parametrize(("folder", "status"), [("/usr/local/cuda/lib64/stubs", "failed"), ("/opt/old/lib", "warning")])
def test_a_library_that_shadows_the_right_one(
    examine: Examine, healthy: Callable[[int], str], root: Path, folder: str, status: str
) -> None:
    told = healthy(1)
    write(root / folder.lstrip("/") / "libcuda.so", "")
    assert examine(told, LD_LIBRARY_PATH=folder)["checks"]["library-path"]["status"] == status


def test_a_module_whose_key_is_not_enrolled(examine: Examine, healthy: Callable[[int], str], root: Path) -> None:
    told = healthy(1)
    (root / "proc/driver/nvidia/version").unlink()
    variable = root / "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
    write(variable, "\x06\x00\x00\x00\x01")
    program(root, "modinfo", "echo MOK")
    found = examine(told)["checks"]
    assert found["secure-boot"]["measured"] == "on"
    assert found["module-key"]["status"] == "failed"


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


@pytest.mark.parametrize(
    ("cuda", "status", "measured"),
    [("13.0.96", "ok", "PyTorch 2.11.0"), ("14.0.1", "failed", "CUDA 14.0"), ("", "failed", "PyTorch 2.11.0")],
)
def test_the_pytorch_of_the_environment_against_the_driver(
    examine: Examine, healthy: Callable[[int], str], root: Path, cuda: str, status: str, measured: str
) -> None:
    told = healthy(1)
    packages = {"torch": "2.11.0", **({"nvidia-cuda-runtime": cuda, "nvidia-cudnn-cu13": "9.19.0.56"} if cuda else {})}
    answer = json.dumps({"python": "3.11", "packages": packages, "cuda": cuda[:4]})
    write(root / "opt/rigforge/python/bin/python3", f"#!/bin/sh\necho '{answer}'\n", 0o755)
    found = examine(told)["checks"]["compatibility"]
    assert (found["status"], measured in found["measured"]) == (status, True), found


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


def test_gpus_of_two_processors(examine: Examine, healthy: Callable[[int], str], root: Path) -> None:
    told = healthy(2)
    write(root / "sys/bus/pci/devices" / machines.address(1) / "numa_node", "1")
    found = examine(told)["checks"]["gpu-numa"]
    assert found["status"] == "ok"
    assert f"{machines.address(1)} on node 1; numactl" in found["measured"]


@pytest.mark.parametrize(
    ("signer", "keys", "status", "measured"),
    [
        ("", "", "failed", "the module is not signed"),
        ("MOK", "1d5f I------ 1 perm 1f0f0000 0 0 asymmetri MOK: 1234: X509.rsa []", "ok", "which is enrolled"),
    ],
)
def test_the_key_of_a_module_under_secure_boot(
    examine: Examine,
    healthy: Callable[[int], str],
    root: Path,
    signer: str,
    keys: str,
    status: str,
    measured: str,
) -> None:
    told = healthy(1)
    (root / "proc/driver/nvidia/version").unlink()
    variable = root / "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
    write(variable, "\x06\x00\x00\x00\x01")
    write(root / "proc/keys", keys)
    program(root, "modinfo", f"echo {signer}")
    found = examine(told)["checks"]["module-key"]
    assert (found["status"], measured in found["measured"]) == (status, True), found


def test_in_a_container_the_host_is_not_looked_at(examine: Examine, healthy: Callable[[int], str], root: Path) -> None:
    told = healthy(1)
    write(root / ".dockerenv", "")
    found = examine(told)["checks"]
    assert {found[name]["status"] for name in ("secure-boot", "ssh", "firewall", "held-packages")} == {"n/a"}
    assert found["gpu-bus"]["status"] == "ok"


def test_a_power_limit_that_was_chosen_with_tune_is_no_fault(
    examine: Examine, root: Path, healthy: Callable[[int], str]
) -> None:
    healthy(2)
    write(root / f"etc/systemd/system/rigforge-power-limit-{machines.uuid(1)}.service", "")
    told = machines.answers(2, gpu1={"power_limit": 360_000})
    assert examine(told)["checks"]["gpu-power"]["status"] == "ok"
