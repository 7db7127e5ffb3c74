"""Layers of a stack as small as can be: a lock, and what building them leaves in a cache that matters here."""

from __future__ import annotations

import shutil
from pathlib import Path

from rigforge.layers.build import Cache
from rigforge.layers.plan import Layer, plan
from rigforge.lock.model import Lock
from rigforge.records.file import LockedFile
from rigforge.stack.load import load

VERSIONS = {"kernel": "6.1.0-56-amd64", "kernel_package_version": "6.1.192-2", "driver": "535.309.01"}
OS_RELEASE = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n'
MODULE = b"a compiled kernel module"
DOCTOR = b"a packed program"


def deb(layer: str, name: str, version: str = "1.0-1", architecture: str = "amd64") -> LockedFile:
    path = f"debian:pool/{name}_{version.rpartition(':')[2]}_{architecture}.deb"
    return LockedFile(layer, "deb", name, version, path, 1, f"{sum(path.encode()):064x}")


def wheel(layer: str, name: str, version: str) -> LockedFile:
    path = f"pypi:{name.replace('-', '_')}-{version}-py3-none-any.whl"
    return LockedFile(layer, "wheel", name, version, path, 1, f"{sum(path.encode()):064x}")


FILES = (
    deb("base", "bash", "5.2.15-2+b13"),
    deb("base", "passwd", "1:4.13+dfsg1-1+deb12u1"),
    deb("base", "tzdata", architecture="all"),
    deb("base", "python3", "3.11.2-1+b1"),
    wheel("cuda", "nvidia-cublas-cu12", "12.8.4.1"),
    wheel("python", "torch", "2.10.0"),
    deb("devel", "gcc-12"),
    deb("doctor", "binutils"),
    deb("doctor", "libpython3.11", "3.11.2-6+deb12u9"),
    wheel("doctor", "pydantic", "2.14.4"),
    deb("module", "dkms", architecture="all"),
    deb("module", "firmware-nvidia-gsp", "535.309.01-0+deb12u1"),
    deb("module", "linux-headers-6.1.0-56-amd64", "6.1.192-2"),
    deb("module", "nvidia-kernel-dkms", "535.309.01-0+deb12u1"),
    deb("host", "firmware-nvidia-gsp", "535.309.01-0+deb12u1"),
    deb("host", "intel-microcode"),
    deb("host", "linux-image-6.1.0-56-amd64", "6.1.192-2"),
)
LOCK = Lock("debian-12", "", 1_795_313_345, VERSIONS, (), FILES)


def lay(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def build(directory: Path, lock: Lock = LOCK) -> tuple[tuple[Layer, ...], Cache]:
    """Lays what the tests read into a cache in `directory`."""
    layers, cache = plan(load("debian-12"), lock), Cache(directory)
    for layer in layers:
        cache.rootfs(layer).mkdir(parents=True)
    rootfs = {layer.name: cache.rootfs(layer) for layer in layers}
    lay(rootfs["base"], {"usr/lib/os-release": OS_RELEASE})
    lay(rootfs["base"], {"usr/share/doc/bash/copyright": "See /usr/share/common-licenses/GPL-3.\n"})
    torch = "opt/rigforge/python/lib/python3.11/site-packages/torch-2.10.0.dist-info/METADATA"
    lay(rootfs["python"], {torch: "Metadata-Version: 2.4\nName: torch\nVersion: 2.10.0\nLicense-Expression: MIT\n"})
    if "module" in rootfs:
        (rootfs["module"] / "nvidia-modules.deb").write_bytes(MODULE)
    if "doctor" in rootfs:
        (rootfs["doctor"] / "rigforge-doctor").write_bytes(DOCTOR)
        pydantic = "opt/doctor/lib/python3.11/site-packages/pydantic-2.14.4.dist-info/METADATA"
        named = "Name: pydantic\nVersion: 2.14.4\nLicense-Expression: MIT\n"
        lay(rootfs["doctor"], {pydantic: f"Metadata-Version: 2.4\n{named}"})
    return layers, cache


def rebuild_without_module(layers: tuple[Layer, ...], cache: Cache) -> None:
    """Removes the layer that compiled the module."""
    shutil.rmtree(next(cache.layer(layer) for layer in layers if layer.name == "module"))
