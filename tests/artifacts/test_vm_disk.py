"""The VM disk among the artifacts: which stacks have one, of which layers, and what lies beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rigforge.artifacts import ARTIFACTS
from rigforge.artifacts.artifact import CHECKSUMS, PROVENANCE, SBOM, Build
from rigforge.artifacts.vm_disk import VmDisk
from rigforge.errors import UsageError
from rigforge.lock.model import Lock, read
from rigforge.records.file import LockedFile
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.load import load


def test_it_takes_the_layers_of_a_machine_and_none_of_a_medium() -> None:
    stack = load("smoke")
    assert [layer.name for layer in VmDisk().layers(stack, read(stack.lock_path))] == ["base", "doctor", "host"]


def test_a_stack_whose_boot_loader_is_canonicals_has_none(tmp_path: Path) -> None:
    medium = LockedFile("medium", "iso", "live-server", "24.04.4", "ubuntu-releases:noble/u.iso", 1, "ab" * 32)
    lock = Lock("smoke", "", 0, {}, (), (medium,))
    assert not VmDisk().fits(lock)
    with pytest.raises(UsageError, match="comes with Canonical's installer"):
        VmDisk().make(Build(load("smoke"), lock, Mirrors({}), tmp_path))


def test_what_lies_beside_it_is_not_the_isos() -> None:
    beside = [
        artifact.beside(artifact.path("smoke", Path("out")), end)
        for artifact in ARTIFACTS
        if artifact.suffix and artifact.fits(Lock("smoke", "", 0, {}, (), ()))
        for end in (CHECKSUMS, SBOM, PROVENANCE)
    ]
    assert Path("out/rigforge-smoke-vm.qcow2.sha256") in beside
    assert len(beside) == len(set(beside))
