"""What Debian and PyPI have, as far as the tests of the lock ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rigforge import distributions
from rigforge.sources.mirrors import Mirrors
from tests.lock.workshop import GPU, NEW, OLD, Workshop, packers_of_the_doctor, written
from tests.sources.serving import served
from tests.sources.signed_archive import Key, SignedArchive, key, minimal_system
from tests.sources.wheel_index import WheelIndex

__all__ = ["key"]


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory, key: Key) -> Path:
    """Every package of Rigforge's own lists, and two kernels and drivers."""
    place = tmp_path_factory.mktemp("archives")
    stack = written(place, key.keyring, GPU)
    main, security = SignedArchive(place / "debian"), SignedArchive(place / "debian-security")
    minimal_system(main, "bookworm")
    main.add("bookworm", "python3", "3.11.2-1+b1", Depends="python3.11")
    main.add("bookworm", "python3.11", "3.11.2-6+deb12u9")
    main.add("bookworm", "libpython3.11", "3.11.2-6+deb12u9", Depends="libpython3.11-stdlib")
    main.add("bookworm", "libpython3.11-stdlib", "3.11.2-6+deb12u9")
    main.add("bookworm", "binutils", "2.40-2")
    main.add("bookworm", "openssh-server", "1:9.2p1-2")
    main.add("bookworm", "g++", "4:12.2.0-3")
    for name in distributions.of(stack).installer.packages:
        main.add("bookworm", name)
    for archive, suite, abi in ((main, "bookworm", 55), (security, "bookworm-security", 56)):
        for package in ("image", "headers"):
            archive.add(suite, f"linux-{package}-6.1.0-{abi}-amd64", f"6.1.{abi}-1")
            archive.add(suite, f"linux-{package}-amd64", f"6.1.{abi}-1", Depends=f"linux-{package}-6.1.0-{abi}-amd64")
    for archive, suite, version in ((main, "bookworm", OLD), (security, "bookworm-security", NEW)):
        built = {"Source": "nvidia-graphics-drivers"}
        archive.add(suite, "nvidia-alternative", version, **built)
        for name in {*distributions.of(stack).driver.user_space, "nvidia-kernel-dkms"} - {
            "nvidia-persistenced",
            "nvidia-modprobe",
        }:
            archive.add(suite, name, version, Depends=f"nvidia-alternative (= {version})", **built)
    main.add("bookworm", "nvidia-persistenced", "535.171.04-1~deb12u1")
    main.add("bookworm", "nvidia-modprobe", "535.161.07-1~deb12u1")
    main.publish("bookworm", key, Date="Sat, 11 Jul 2026 10:00:00 UTC")
    security.publish("bookworm-security", key, Date="Sat, 21 Nov 2026 00:00:00 UTC")
    return place


@pytest.fixture
def wheels(tmp_path: Path) -> WheelIndex:
    """PyTorch 2.10.0 as on PyPI: it pins its CUDA libraries, and newer parts of the toolkit are there too."""
    index = WheelIndex(tmp_path / "pypi")
    index.add("nvidia-cuda-runtime-cu12", "12.8.90")
    index.add("nvidia-cudnn-cu12", "9.10.2.21")
    pins = ["nvidia-cuda-runtime-cu12==12.8.90", "nvidia-cudnn-cu12==9.10.2.21", "numpy"]
    index.add("torch", "2.10.0", requires=pins)
    index.add("jupyterlab", "4.6.6", requires=["numpy"])
    index.add("numpy", "2.4.0")
    index.add("nvidia-cuda-nvcc-cu12", "12.8.93", requires=["nvidia-cuda-crt-cu12"])
    index.add("nvidia-cuda-nvcc-cu12", "12.9.86")
    index.add("nvidia-cuda-crt-cu12", "12.8.93")
    packers_of_the_doctor(index)
    return index


@pytest.fixture
def workshop(
    archives: Path, wheels: WheelIndex, key: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workshop]:
    monkeypatch.setenv("RIGFORGE_HOME", str(tmp_path / "home"))
    with served(archives) as debs, served(wheels.path) as index:
        urls = {role: f"{debs}/{role}" for role in ("debian", "debian-security")}
        yield Workshop(tmp_path, key.keyring, Mirrors({**urls, "pypi": f"{index}/simple"}))
