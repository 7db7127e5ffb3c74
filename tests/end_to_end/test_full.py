"""The whole machine, for real: driver, CUDA and PyTorch under all firmwares, without and with its owner's key."""

from __future__ import annotations

import subprocess

import pytest
from chain import Medium, make

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Medium:
    """With the kernel module signed by the machine's owner, whose key verification enrols."""
    folder = tmp_path_factory.mktemp("owner")
    key, certificate = folder / "owner.key", folder / "owner.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=Owner/"]
    subprocess.run([*request, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    signature = (f"secure_boot.key={key}", f"secure_boot.certificate={certificate}")
    return make("debian-12", folder, *signature, out="debian-12-signed")


@pytest.fixture(scope="module")
def unsigned(tmp_path_factory: pytest.TempPathFactory) -> Medium:
    return make("debian-12", tmp_path_factory.mktemp("debian-12"))


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_it_installs_itself_and_the_machine_passes_its_tests(unsigned: Medium, firmware: str) -> None:
    report = unsigned.verify(firmware)
    assert report["failed"] == 0
    assert report["passed"] > 0


def test_under_secure_boot_the_signed_module_is_accepted(signed: Medium) -> None:
    report = signed.verify("secureboot")
    assert report["failed"] == 0
    assert report["passed"] > 0


def test_under_secure_boot_the_unsigned_module_is_rejected_and_reported(unsigned: Medium) -> None:
    """What is expected of a machine without a key, image_tests/ know."""
    report = unsigned.verify("secureboot")
    assert report["failed"] == 0
    assert report["passed"] > 0
