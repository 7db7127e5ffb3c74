"""NVIDIA's archive as far as nvcc asks for it: the real files, from PyPI's wheels, where its packages have them."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.sources.signed_archive import FlatArchive

#: The wheels of CUDA 13.0: the first release whose compiler is on PyPI.
WHEELS = {
    "nvidia-cuda-cccl": "13.0.85",
    "nvidia-cuda-crt": "13.0.88",
    "nvidia-cuda-nvcc": "13.0.88",
    "nvidia-cuda-runtime": "13.0.96",
    "nvidia-nvvm": "13.0.88",
}
TREE = "usr/local/cuda-13.0"
TARGET = f"{TREE}/targets/x86_64-linux"

#: /usr/local/cuda is one of the alternatives, which this package offers.
ALTERNATIVE = f"""\
#!/bin/sh
set -e
update-alternatives --install /usr/local/cuda cuda /{TREE} 130
update-alternatives --install /usr/local/cuda-13 cuda-13 /{TREE} 130
"""


def download(folder: Path) -> dict[str, Path]:
    """Returns the wheels, by the names of their projects, fetched into a folder (105 MB)."""
    wanted = [f"{name}=={version}" for name, version in WHEELS.items()]
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, *wanted], check=True
    )
    return {name: next(folder.glob(f"{name.replace('-', '_')}-1*")) for name in WHEELS}


def publish(archive: FlatArchive, wheels: dict[str, Path]) -> None:
    """Adds nvcc, the run-time library and what they depend on, under NVIDIA's names."""
    for name, wheel, place, depends in (
        ("cuda-crt-13-0", "nvidia-cuda-crt", _headers, ""),
        ("libnvvm-13-0", "nvidia-nvvm", _compiler, ""),
        ("cuda-nvcc-13-0", "nvidia-cuda-nvcc", _compiler, "cuda-crt-13-0 (>= 13.0.88), libnvvm-13-0 (>= 13.0.88)"),
        ("cuda-cccl-13-0", "nvidia-cuda-cccl", _headers, ""),
        ("cuda-cudart-13-0", "nvidia-cuda-runtime", _library, "cuda-toolkit-13-0-config-common"),
        ("cuda-cudart-dev-13-0", "nvidia-cuda-runtime", _for_compiling, "cuda-cudart-13-0, cuda-cccl-13-0"),
    ):
        _pack(archive, name, f"{WHEELS[wheel]}-1", wheels[wheel], place, depends)
    archive.add("cuda-toolkit-13-0-config-common", "13.0.96-1", postinst=ALTERNATIVE)


def _compiler(file: str) -> str:
    return f"{TREE}/{file}" if file.startswith(("bin/", "nvvm/")) else _headers(file)


def _headers(file: str) -> str:
    return f"{TARGET}/{file}" if file.startswith("include/") else ""


def _library(file: str) -> str:
    return f"{TARGET}/lib/libcudart.so.13.0.96" if file.startswith("lib/libcudart.so.") else ""


def _for_compiling(file: str) -> str:
    return f"{TARGET}/{file}" if file.startswith("include/") or file.endswith(".a") else ""


def _pack(
    archive: FlatArchive, name: str, version: str, wheel: Path, place: Callable[[str], str], depends: str
) -> None:
    def fill(root: Path) -> None:
        with zipfile.ZipFile(wheel) as content:
            for member in content.namelist():
                _, _, file = member.partition("nvidia/cu13/")
                if file and not member.endswith("/") and (inside := place(file)):
                    copy = root / inside
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    copy.write_bytes(content.read(member))
                    copy.chmod(0o755 if "/bin/" in inside else 0o644)
        if place is _library:
            (root / TARGET / "lib/libcudart.so.13").symlink_to("libcudart.so.13.0.96")
            (root / TREE / "lib64").symlink_to("targets/x86_64-linux/lib")
        if place is _for_compiling:
            (root / TARGET / "lib/libcudart.so").symlink_to("libcudart.so.13")
            (root / TREE / "include").symlink_to("targets/x86_64-linux/include")

    archive.add(name, version, fill=fill, **({"Depends": depends} if depends else {}))
