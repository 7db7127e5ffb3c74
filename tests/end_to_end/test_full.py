"""The whole machine and its images, for real: driver, CUDA and PyTorch, under all firmwares, with and without a key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from rigforge.doctor import driver_api
from rigforge.images.description import IMAGES
from rigforge.layers.build import Cache
from rigforge.layers.plan import plan
from rigforge.lock.model import read
from rigforge.machine import libraries
from rigforge.paths import home
from rigforge.stack.load import load
from rigforge.store.store import Store
from tests.end_to_end.chain import Figure, Medium, make, rigforge

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
def test_it_installs_itself_and_the_machine_passes_its_tests(
    unsigned: Medium, firmware: str, record_property: Figure
) -> None:
    report = unsigned.verify(firmware)
    record_property("image tests passed", report["passed"])
    assert report["failed"] == 0
    assert report["passed"] > 0


def test_under_secure_boot_the_signed_module_is_accepted(signed: Medium, record_property: Figure) -> None:
    report = signed.verify("secureboot")
    record_property("image tests passed", report["passed"])
    assert report["failed"] == 0
    assert report["passed"] > 0


def test_under_secure_boot_the_unsigned_module_is_rejected_and_reported(
    unsigned: Medium, record_property: Figure
) -> None:
    """What is expected of a machine without a key, image_tests/ know."""
    report = unsigned.verify("secureboot")
    record_property("image tests passed", report["passed"])
    assert report["failed"] == 0
    assert report["passed"] > 0


@pytest.mark.usefixtures("daemon")
def test_the_images_pass_their_tests(unsigned: Medium, tmp_path: Path) -> None:
    """With the files of the real driver; `unsigned` comes first so that the layers are there."""
    reports = json.loads(rigforge("verify-images", "--stack", unsigned.stack, "--out", tmp_path, "--json"))
    assert [(report["image"], report["failed"]) for report in reports] == [("base", 0), ("runtime", 0), ("dev", 0)]


def test_runtime_holds_little_besides_its_wheels(unsigned: Medium) -> None:
    """Less than 350 MB of system and bytecode, and 2% for what is made on installation."""
    stack = load(unsigned.stack)
    lock = read(stack.lock_path)
    cache, store = Cache(home()), Store(home() / "store")
    wheels = [file for name in ("cuda", "python") for file in lock.part(name) if file.kind == "wheel"]
    unpacked = sum(entry.file_size for wheel in wheels for entry in ZipFile(store.path(wheel.sha256)).infolist())
    layers = [cache.rootfs(layer) for layer in plan(stack, lock) if layer.name in IMAGES["runtime"]]
    files = [Path(directory, name) for layer in layers for directory, _, names in os.walk(layer) for name in names]
    held = sum(file.lstat().st_size for file in files)
    print(f"{held / 1e6:.0f} MB, the wheels {unpacked / 1e6:.0f} MB")
    assert held <= 1.02 * unpacked + 350e6


def test_the_driver_of_the_machine_is_found_in_its_layer(unsigned: Medium) -> None:
    """Debian's libcuda is in a folder of its own, by way of /etc/alternatives; `unsigned` has built the layer."""
    stack = load(unsigned.stack)
    lock = read(stack.lock_path)
    (host,) = (layer for layer in plan(stack, lock) if layer.name == "host")
    root = Cache(home()).rootfs(host)
    for name in (libraries.CUDA, libraries.MANAGEMENT):
        library = libraries.find(root, name)
        assert library
        assert library.version == lock.versions["driver"]
        assert library.file.is_relative_to(root)


def test_the_driver_of_the_machine_answers_the_doctors_child(unsigned: Medium) -> None:
    """The real libcuda, without a GPU."""
    stack = load(unsigned.stack)
    (host,) = (layer for layer in plan(stack, read(stack.lock_path)) if layer.name == "host")
    library = libraries.find(Cache(home()).rootfs(host))
    assert library
    command = [sys.executable, "-I", driver_api.__file__, library.file, "5", ""]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert said == ["load ?", "load 0", "init ?", "init 100 CUDA_ERROR_NO_DEVICE"]
