"""Every fault that the doctor knows, each on a machine that is well otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import machines
import pytest
from machines import GIB, KERNEL, Examine, program, write


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


def test_eight_gpus_take_less_than_three_seconds(examine: Examine, healthy: Callable[[int], str]) -> None:
    told = healthy(8)
    start = time.monotonic()
    examine(told)
    assert time.monotonic() - start < 3


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


def test_a_notebook_that_everybody_reaches(examine: Examine, healthy: Callable[[int], str], root: Path) -> None:
    told = healthy(0)
    head = "  sl  local_address rem_address   st\n"
    write(root / "proc/net/tcp", f"{head}   0: 00000000:22B8 00000000:0000 0A\n")
    found = examine(told)["checks"]["jupyter"]
    assert (found["status"], found["measured"]) == ("warning", "listens on 0.0.0.0")
    write(root / "proc/net/tcp", f"{head}   0: 0100007F:22B8 00000000:0000 0A\n")
    assert examine(told)["checks"]["jupyter"]["status"] == "ok"


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
