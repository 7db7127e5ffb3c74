"""A lock of debian-12 in few files, and the one that an upgrade makes of it."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from rigforge.lock.model import Lock
from rigforge.records.archive import LockedArchive
from rigforge.records.file import LockedFile


def deb(layer: str, name: str, version: str, size: int, role: str = "debian") -> LockedFile:
    return LockedFile(layer, "deb", name, version, f"{role}:pool/{name}_{version}.deb", size, _sha256(name, version))


def wheel(layer: str, name: str, version: str, size: int) -> LockedFile:
    return LockedFile(layer, "wheel", name, version, f"pypi:{name}-{version}.whl", size, _sha256(name, version))


def _sha256(name: str, version: str) -> str:
    return hashlib.sha256(f"{name}-{version}".encode()).hexdigest()


OLD = Lock(
    stack="debian-12",
    stack_sha256="",
    source_date_epoch=1795313345,
    versions={
        "cuda": "12.8.90",
        "cudnn": "9.10.2.21",
        "driver": "535.261.03",
        "jupyterlab": "4.6.6",
        "kernel": "6.1.0-55-amd64",
        "kernel_package_version": "6.1.187-1",
        "python": "3.11.2",
        "pytorch": "2.10.0",
    },
    archives=(
        LockedArchive("debian", "bookworm", "Sat, 11 Jul 2026 10:16:37 UTC", ""),
        LockedArchive("debian-security", "bookworm-security", "Sat, 21 Nov 2026 00:53:02 UTC", ""),
    ),
    files=(
        deb("base", "openssl", "3.0.21-1~deb12u1", 1_400_000, "debian-security"),
        deb("base", "tini", "0.19.0-1", 267_204),
        wheel("python", "pillow", "12.0.0", 7_000_000),
        wheel("python", "torch", "2.10.0", 900_000_000),
        deb("host", "linux-image-6.1.0-55-amd64", "6.1.187-1", 70_000_000),
        deb("host", "sudo", "1.9.13p3-1", 1_900_000),
    ),
)

NEW = replace(
    OLD,
    versions={
        **OLD.versions,
        "driver": "535.309.01",
        "kernel": "6.1.0-56-amd64",
        "kernel_package_version": "6.1.192-2",
    },
    archives=(OLD.archives[0], replace(OLD.archives[1], date="Mon, 23 Nov 2026 08:00:00 UTC")),
    files=(
        deb("base", "openssl", "3.0.22-1~deb12u2", 1_500_000, "debian-security"),
        deb("base", "sudo", "1.9.13p3-1", 1_900_000),
        wheel("python", "pillow", "11.3.0", 6_000_000),
        wheel("python", "torch", "2.10.0", 900_000_000),
        deb("host", "linux-image-6.1.0-56-amd64", "6.1.192-2", 71_000_000, "debian-security"),
    ),
)
