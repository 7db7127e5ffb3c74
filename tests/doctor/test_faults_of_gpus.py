"""Every fault of GPUs, their driver and what is built on it, each on a machine that is well otherwise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rigforge.paths import PROJECT
from tests.doctor import machines
from tests.doctor.machines import Examine, program, write


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
        ({"ecc": 0, "ecc_default": 1}, "gpu-ecc", "warning", "ECC is off"),
        ({"ecc": 0, "name": "NVIDIA A100-SXM4-80GB"}, "gpu-ecc", "warning", "ECC is off"),
        ({"temperature": "!15"}, "gpu-bus", "failed", "GPU is lost"),
        ({"handle": "!15"}, "gpu-bus", "failed", "GPU is lost"),
    ],
)
def test_what_one_of_two_gpus_says(
    examine: Examine, root: Path, changed: dict[str, object], check: str, status: str, measured: str
) -> None:
    machines.machine(root, 2)
    (root / "etc/rigforge").mkdir()
    found = examine(machines.answers(2, gpu1=changed))["checks"][check]
    assert (found["status"], measured in found["measured"]) == (status, True), found
    assert "GPU 1" in found["measured"]
    assert found["fix"]


def test_memory_protection_that_is_off_is_as_cards_come(examine: Examine, root: Path) -> None:
    machines.machine(root, 2)
    found = examine(machines.answers(2, gpu1={"ecc": 0}))["checks"]["gpu-ecc"]
    assert (found["status"], found["measured"]) == ("ok", "no uncorrected error; off on GPU 1")


@pytest.mark.parametrize(
    "delivered",
    [
        {"name": "NVIDIA GeForce RTX 4090"},
        {"name": "NVIDIA RTX A6000"},
        {"name": "NVIDIA RTX 6000 Ada Generation"},
        {"name": "NVIDIA RTX PRO 6000 Blackwell Workstation Edition"},
        {"name": "Quadro RTX 8000"},
        {"name": "NVIDIA A40", "ecc_default": 0},
    ],
)
def test_ecc_that_is_off_as_delivered_is_no_alarm(examine: Examine, root: Path, delivered: dict[str, object]) -> None:
    machines.machine(root, 1)
    assert examine(machines.answers(1, gpu0={**delivered, "ecc": 0}))["checks"]["gpu-ecc"]["status"] == "ok"


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


@pytest.mark.parametrize(
    ("capability", "status", "measured"),
    [
        (None, "ok", "10de:ffff is an NVIDIA card that the table has not"),
        ("12.0", "ok", "compute capability 12.0"),
        ("5.0", "failed", "no code for compute capability 5.0"),
    ],
)
def test_a_card_that_no_table_has_is_judged_by_what_the_driver_says_of_it(
    examine: Examine, healthy: Callable[[int], str], root: Path, capability: str | None, status: str, measured: str
) -> None:
    healthy(1)
    write(root / "sys/bus/pci/devices" / machines.address(0) / "device", "0xffff\n")
    answer = json.dumps({"python": "3.12", "packages": {"torch": "2.11.0+cu130"}, "cuda": "13.0"})
    write(root / "opt/rigforge/python/bin/python3", f"#!/bin/sh\necho '{answer}'\n", 0o755)
    told = machines.answers(1, gpu0={"capability": capability, "name": "NVIDIA Card of tomorrow"})
    found = examine(told)["checks"]["compatibility"]
    assert (found["status"], measured in found["measured"]) == (status, True), found


@pytest.mark.parametrize(
    ("version", "cuda", "status", "measured"),
    [
        ("2.9.1+cpu", "", "failed", "is without CUDA"),
        ("2.11.0", "13.0", "failed", "CUDA 13 needs driver 580 or later"),
        ("2.0.0", "11.7", "ok", "PyTorch 2.0.0 with CUDA 11.7"),
    ],
)
def test_where_no_bus_shows_the_card_pytorch_is_judged_by_what_the_driver_says(
    examine: Examine, healthy: Callable[[int], str], root: Path, version: str, cuda: str, status: str, measured: str
) -> None:
    healthy(0)
    answer = json.dumps({"python": "3.12", "packages": {"torch": version}, "cuda": cuda})
    write(root / "opt/rigforge/python/bin/python3", f"#!/bin/sh\necho '{answer}'\n", 0o755)
    told = machines.answers(1).replace(f"driver {machines.DRIVER}", "driver 531.29").replace("cuda 13000", "cuda 12010")
    found = examine(told)["checks"]["compatibility"]
    assert (found["status"], measured in found["measured"]) == (status, True), found


@pytest.mark.skipif(Path("/proc/driver/nvidia").exists(), reason="this machine has a card on its own bus")
def test_explain_asks_the_driver_too_where_no_bus_shows_the_card(mock: Path, tmp_path: Path) -> None:
    told = machines.answers(1).replace(f"driver {machines.DRIVER}", "driver 531.29").replace("cuda 13000", "cuda 12010")
    write(tmp_path / "mock", told)
    answer = json.dumps({"python": "3.12", "packages": {"torch": "2.11.0"}, "cuda": "13.0"})
    write(tmp_path / "python3", f"#!/bin/sh\necho '{answer}'\n", 0o755)
    command = [sys.executable, "-m", "rigforge.cli", "explain", "--this-machine", "--json", "--interpreter"]
    seen = {**os.environ, "LD_LIBRARY_PATH": str(mock), "MOCK_NVML": str(tmp_path / "mock")}
    done = subprocess.run([*command, tmp_path / "python3"], env=seen, capture_output=True, text=True, cwd=PROJECT)
    (finding,) = json.loads(done.stdout)["findings"]
    assert "CUDA 13 needs driver 580 or later" in finding["message"]


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


def test_a_power_limit_that_was_chosen_with_tune_is_no_fault(
    examine: Examine, root: Path, healthy: Callable[[int], str]
) -> None:
    healthy(2)
    write(root / f"etc/systemd/system/rigforge-power-limit-{machines.uuid(1)}.service", "")
    told = machines.answers(2, gpu1={"power_limit": 360_000})
    assert examine(told)["checks"]["gpu-power"]["status"] == "ok"
