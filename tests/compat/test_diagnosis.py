"""What is wrong with a machine, read from a tree that looks like its own."""

from __future__ import annotations

import shutil
import sys
import time
import venv
from dataclasses import replace
from pathlib import Path

import pytest

from rigforge.compat.diagnosis import Finding, diagnose
from rigforge.compat.inventory import Inventory, Loaded, read
from tests.compat.fatbin import fat, library

OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {}  Release Build  (dvs-builder)\n"
PROPRIETARY = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  {}  Thu Jan  1 00:00:00 UTC 2026\n"


class Tree:
    """The file system of a machine, as far as it is looked at."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def device(self, slot: str, device: str, vendor: str = "0x10de", kind: str = "0x030000") -> None:
        for name, text in (("vendor", vendor), ("device", f"0x{device}"), ("class", kind)):
            self.write(f"sys/bus/pci/devices/{slot}/{name}", f"{text}\n")

    def driver(self, version: str, text: str = OPEN, libraries: str = "") -> None:
        self.write("proc/driver/nvidia/version", text.format(version))
        folder = "usr/lib/x86_64-linux-gnu"
        library = self.write(f"{folder}/libcuda.so.{libraries or version}", "")
        (library.parent / "libcuda.so.1").symlink_to(library.name)

    def found(self, interpreter: str = "") -> Inventory:
        return read(self.root, interpreter or "/bin/false")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python environment of its own, to put a PyTorch into."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, symlinks=True)
    return place


def install(environment: Path, *, code: tuple[str, ...] = (), **packages: str) -> str:
    """Puts packages (name with _ for -) into an environment, in the place of any before; PyTorch with GPU code."""
    site = environment / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    for old in site.glob("*.dist-info/METADATA"):
        old.unlink()
        old.parent.rmdir()
    for name, version in packages.items():
        folder = site / f"{name}-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n")
    shutil.rmtree(site / "torch", ignore_errors=True)
    if "torch" not in packages:
        return str(environment / "bin/python")
    (site / "torch/lib").mkdir(parents=True)
    (site / "torch/__init__.py").write_text("raise ImportError('PyTorch is not to be imported')")
    if code:
        (site / "torch/lib/libtorch_cuda.so").write_bytes(library([fat(*code)]))
    runtime = next((version for name, version in packages.items() if name.startswith("nvidia_cuda_runtime")), "")
    cuda = repr(".".join(runtime.split(".")[:2])) if runtime else None
    (site / "torch/version.py").write_text(f"__version__ = 'x'\ncuda: Optional[str] = {cuda}\n")
    return str(environment / "bin/python")


def wrong(machine: Inventory) -> list[Finding]:
    return [finding for finding in diagnose(machine) if finding.status == "failed"]


def test_a_sound_machine_is_all_well(tree: Tree, environment: Path) -> None:
    tree.device("0000:01:00.0", "2684")
    tree.driver("580.95.05")
    python = install(environment, torch="2.10.0", nvidia_cuda_runtime_cu12="12.8.90", nvidia_cudnn_cu12="9.10.2.21")
    machine = tree.found(python)
    assert wrong(machine) == []
    told = [finding.message for finding in diagnose(machine)]
    assert "1 × GeForce RTX 4090, compute capability 8.9" in told
    assert "driver 580.95.05, open kernel module, native for CUDA 13.0" in told
    assert any("PyTorch 2.10.0 with CUDA 12.8.90, cuDNN 9.10.2.21, native on this driver" in each for each in told)


def test_other_vendors_and_sound_devices_of_cards_are_no_cards(tree: Tree) -> None:
    tree.device("0000:00:02.0", "3e92", vendor="0x8086")
    tree.device("0000:01:00.1", "22ba", kind="0x040300")
    tree.device("0000:02:00.0", "20b0", kind="0x030200")
    assert [gpu.name for gpu in tree.found().gpus] == ["A100-SXM4-40GB"]


def test_no_card_at_all(tree: Tree) -> None:
    assert [finding.message for finding in wrong(tree.found())] == ["no NVIDIA card on the PCI bus"]


def test_a_card_that_no_table_has_is_told_with_how_to_ask_for_it(tree: Tree) -> None:
    tree.device("0000:01:00.0", "ffff")
    findings = diagnose(tree.found())
    assert findings[0].status == "ok"
    assert findings[0].cure.startswith('invoke explain --gpu "10de:ffff=8.9"')


def test_nouveau_in_the_drivers_place(tree: Tree) -> None:
    tree.device("0000:01:00.0", "1b06")
    (tree.root / "sys/module/nouveau").mkdir(parents=True)
    (finding,) = wrong(tree.found())
    assert "nouveau drives the card" in finding.message
    assert finding.cure == "install driver 580 (580.178.04 or later of it) with the proprietary kernel module"


def test_no_module(tree: Tree) -> None:
    tree.device("0000:01:00.0", "2b85")
    (finding,) = wrong(tree.found())
    assert finding.message == "no NVIDIA driver is installed"
    assert "with the open kernel module" in finding.cure


def test_a_module_that_is_installed_and_not_loaded_is_not_to_be_installed(tree: Tree) -> None:
    tree.device("0000:01:00.0", "2b85")
    tree.write("lib/modules/6.1.0-56-amd64/modules.dep", "updates/dkms/nvidia-current.ko:\n")
    (finding,) = wrong(tree.found())
    assert finding.message == "no NVIDIA kernel module is loaded"
    assert finding.cure.startswith("sudo modprobe nvidia")


def test_nouveau_beside_a_driver_that_works_is_no_trouble(tree: Tree) -> None:
    tree.device("0000:01:00.0", "2684")
    tree.driver("580.95.05")
    (tree.root / "sys/module/nouveau").mkdir(parents=True)
    assert not wrong(tree.found())
    (tree.root / "sys/bus/pci/devices/0000:01:00.0/driver").symlink_to("/sys/bus/pci/drivers/nvidia")
    assert not wrong(tree.found())


def test_module_and_libraries_of_two_versions(tree: Tree) -> None:
    tree.device("0000:01:00.0", "2684")
    tree.driver("580.95.05", libraries="580.178.04")
    (finding,) = wrong(tree.found())
    assert finding.message == "the kernel module is 580.95.05, the driver's libraries are 580.178.04"
    assert "restart" in finding.cure


def test_a_module_without_libraries(tree: Tree) -> None:
    tree.device("0000:01:00.0", "2684")
    tree.write("proc/driver/nvidia/version", OPEN.format("580.95.05"))
    (finding,) = wrong(tree.found())
    assert "there is no libcuda.so.1" in finding.message


def test_the_wrong_kind_of_module(tree: Tree) -> None:
    tree.device("0000:01:00.0", "2b85")
    tree.driver("580.95.05", PROPRIETARY)
    machine = tree.found()
    assert machine.loaded == Loaded("580.95.05", "proprietary")
    (finding,) = wrong(machine)
    assert "only the open kernel module drives compute capability 12.0" in finding.message


def test_a_driver_that_is_too_old_for_the_card(tree: Tree) -> None:
    tree.device("0000:01:00.0", "2b85")
    tree.driver("535.309.01", PROPRIETARY)
    (finding,) = wrong(tree.found())
    assert "driver 535 does not drive compute capability 12.0" in finding.message
    assert finding.cure.startswith("install driver 620")


def test_a_pytorch_that_is_too_new_for_the_driver(tree: Tree, environment: Path) -> None:
    tree.device("0000:01:00.0", "2684")
    tree.driver("535.309.01", PROPRIETARY)
    python = install(environment, torch="2.11.0", nvidia_cuda_runtime="13.0.96", nvidia_cudnn_cu13="9.19.0.56")
    (finding,) = wrong(tree.found(python))
    assert "driver 535.309.01 does not run PyTorch 2.11.0" in finding.message
    assert finding.cure.startswith("install PyTorch 2.14.1+cu126")


def test_a_pytorch_without_code_for_the_card(tree: Tree, environment: Path) -> None:
    tree.device("0000:01:00.0", "1b06")
    tree.driver("580.178.04", PROPRIETARY)
    python = install(environment, torch="2.10.0", nvidia_cuda_runtime_cu12="12.8.90", nvidia_cudnn_cu12="9.10.2.21")
    (finding,) = wrong(tree.found(python))
    assert "PyTorch 2.10.0 has no code for compute capability 6.1" in finding.message
    assert finding.cure.startswith("install PyTorch 2.14.1+cu126")


def test_the_code_of_a_pytorch_is_read_from_its_binary(tree: Tree, environment: Path) -> None:
    tree.device("0000:01:00.0", "2b85")
    tree.driver("580.178.04")
    made_here = {"torch": "2.9.0a0+git1234567", "nvidia_cuda_runtime_cu12": "12.8.90"}
    (finding,) = wrong(tree.found(install(environment, code=("sm_80", "sm_90"), **made_here)))
    assert "its code is for sm_80, sm_90, as libtorch_cuda.so itself has it" in finding.message
    assert wrong(tree.found(install(environment, code=("sm_80", "sm_90", "sm_120"), **made_here))) == []


def test_a_pytorch_without_cuda(tree: Tree, environment: Path) -> None:
    tree.device("0000:01:00.0", "2684")
    tree.driver("580.95.05")
    (finding,) = wrong(tree.found(install(environment, torch="2.10.0+cpu")))
    assert "PyTorch 2.10.0+cpu" in finding.message and "is without CUDA" in finding.message


def test_no_pytorch(tree: Tree, environment: Path) -> None:
    tree.device("0000:01:00.0", "2684")
    tree.driver("580.95.05")
    python = install(environment)
    finding = diagnose(tree.found(python))[-1]
    assert (finding.status, finding.message) == ("warning", f"no PyTorch in {python}")


def test_no_pytorch_in_the_systems_own_python_is_no_fault(tree: Tree) -> None:
    tree.device("0000:01:00.0", "2684")
    tree.driver("580.95.05")
    finding = diagnose(replace(tree.found(), interpreter="/usr/bin/python3"))[-1]
    assert (finding.status, finding.message) == ("ok", "no PyTorch in /usr/bin/python3")


def test_a_python_that_does_not_answer_is_not_waited_for(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rigforge.compat.pytorch.PATIENCE", 0.2)
    hangs = tree.write("python3", "#!/bin/sh\nsleep 60\n")
    hangs.chmod(0o755)
    start = time.monotonic()
    assert tree.found(str(hangs)).pytorch is None
    assert time.monotonic() - start < 5


def test_versions_that_no_table_has_are_no_fault(tree: Tree, environment: Path) -> None:
    tree.device("0000:01:00.0", "2684")
    tree.driver("999.10.01")
    python = install(environment, torch="9.0.0", nvidia_cuda_runtime="20.0.1", nvidia_cudnn="12.0.0.1")
    findings = diagnose(tree.found(python))
    assert [finding.status for finding in findings] == ["ok", "ok", "ok"]
    assert "newer than the tables, and good for what earlier ones run" in findings[1].message


def test_the_toolkit_is_told_apart_from_pytorchs_cuda(tree: Tree) -> None:
    tree.device("0000:01:00.0", "2684")
    tree.write("usr/local/cuda/version.json", '{"cuda": {"name": "CUDA SDK", "version": "12.4.1"}}')
    assert any("CUDA toolkit 12.4.1" in finding.message for finding in diagnose(tree.found()))
