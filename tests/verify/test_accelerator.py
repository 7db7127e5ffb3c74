"""KVM is chosen only where a guest really runs under it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rigforge.verify import qemu

INTEL = "processor\t: 0\nflags\t\t: fpu vme vmx sse2\nbugs\t\t: spectre_v1\n"
AMD = "processor\t: 0\nflags\t\t: fpu svm sse2\n"
NESTED_WITHOUT = "processor\t: 0\nflags\t\t: fpu vme hypervisor\nvmx flags\t: vnmi\n"


@pytest.fixture
def kvm(tmp_path: Path) -> Path:
    device = tmp_path / "kvm"
    device.touch()
    return device


def cpuinfo(folder: Path, text: str) -> Path:
    file = folder / "cpuinfo"
    file.write_text(text)
    return file


@pytest.mark.parametrize("text", [INTEL, AMD])
def test_kvm_where_processor_device_and_guest_agree(tmp_path: Path, kvm: Path, text: str) -> None:
    assert qemu.accelerator(cpuinfo(tmp_path, text), kvm, lambda _: True) == "kvm"


def test_no_kvm_where_the_guest_does_not_run(tmp_path: Path, kvm: Path) -> None:
    assert qemu.accelerator(cpuinfo(tmp_path, INTEL), kvm, lambda _: False) == qemu.TCG


def test_no_guest_is_tried_where_the_processor_has_no_virtualisation(tmp_path: Path, kvm: Path) -> None:
    tried: list[str] = []
    chosen = qemu.accelerator(cpuinfo(tmp_path, NESTED_WITHOUT), kvm, lambda name: bool(tried.append(name)) or True)
    assert (chosen, tried) == (qemu.TCG, [])


def test_no_kvm_without_the_device(tmp_path: Path) -> None:
    assert qemu.accelerator(cpuinfo(tmp_path, INTEL), tmp_path / "none", lambda _: True) == qemu.TCG


def test_no_kvm_where_nothing_is_known_of_the_processor(tmp_path: Path, kvm: Path) -> None:
    assert qemu.accelerator(tmp_path / "none", kvm, lambda _: True) == qemu.TCG


def test_probe_guest_runs_to_its_end() -> None:
    assert qemu.probe(qemu.TCG)


def test_probe_fails_where_qemu_has_no_such_accelerator() -> None:
    assert not qemu.probe("hvf")
