"""The small stack, for real: built, installed, tested over SSH (8 minutes for each firmware without KVM)."""

from __future__ import annotations

import filecmp

import pytest
from chain import Medium, make, rigforge

pytestmark = pytest.mark.boot


@pytest.fixture(scope="module")
def medium(tmp_path_factory: pytest.TempPathFactory) -> Medium:
    return make("smoke", tmp_path_factory.mktemp("smoke"))


@pytest.mark.parametrize("firmware", ["uefi", pytest.param("bios", marks=pytest.mark.full)])
def test_it_installs_itself_and_the_machine_passes_its_tests(medium: Medium, firmware: str) -> None:
    report = medium.verify(firmware)
    assert report["failed"] == 0
    assert report["passed"] > 0


def test_a_second_build_needs_no_network_and_gives_the_same_bytes(medium: Medium) -> None:
    again = medium.iso.parent / "again"
    printed = rigforge("build-iso", "--stack", medium.stack, *medium.site, "--offline", "--out", again)
    assert printed == f"iso: {again / medium.iso.name}\n"
    assert filecmp.cmp(again / medium.iso.name, medium.iso, shallow=False)
