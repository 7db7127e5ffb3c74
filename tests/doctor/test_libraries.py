"""Libraries of the driver that are missing, and what brings them: by place, distribution and installer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rigforge.machine.libraries import CUDA, MANAGEMENT
from tests.doctor import machines
from tests.doctor.machines import DRIVER, Examine, write

FOLDER = "usr/lib/x86_64-linux-gnu"
DEBIAN, UBUNTU = "ID=debian\n", "ID=ubuntu\nID_LIKE=debian\n"

#: What the place is like (files), which library is missing, and what brings it.
BRINGS: list[tuple[dict[str, str], str, str]] = [
    ({"etc/os-release": DEBIAN}, CUDA, "apt-get install libcuda1"),
    ({"etc/os-release": DEBIAN}, MANAGEMENT, "apt-get install libnvidia-ml1"),
    ({"etc/os-release": UBUNTU}, CUDA, "apt-get install libnvidia-compute-580,"),
    (
        {"etc/os-release": UBUNTU, "var/lib/dpkg/info/nvidia-utils-580-server.list": ""},
        MANAGEMENT,
        "apt-get install libnvidia-compute-580-server,",
    ),
    ({"etc/os-release": 'ID="rocky"\nID_LIKE="rhel fedora"\n'}, CUDA, "dnf install nvidia-driver-cuda-libs"),
    ({"etc/os-release": "ID=arch\n"}, MANAGEMENT, "pacman -S nvidia-utils"),
    ({"etc/os-release": "ID=plan9\n"}, CUDA, "the driver's package with libcuda.so.1"),
    ({"usr/bin/nvidia-uninstall": ""}, CUDA, f"NVIDIA-Linux-x86_64-{DRIVER}.run"),
    ({".dockerenv": ""}, CUDA, "docker run --gpus all"),
    ({".dockerenv": ""}, MANAGEMENT, "NVIDIA_DRIVER_CAPABILITIES=compute,utility"),
    ({f"{FOLDER}/nvidia/current/{CUDA}.580": "", f"{FOLDER}/libcuda.so.{DRIVER}": ""}, CUDA, "sudo ldconfig"),
    ({f"{FOLDER}/nvidia/current/libcuda.so.{DRIVER}": ""}, CUDA, "update-alternatives --auto nvidia"),
]


def take_out(root: Path) -> None:
    for file in (root / FOLDER).glob("libcuda*"):
        file.unlink()


@pytest.mark.parametrize(("place", "library", "cure"), BRINGS)
def test_what_brings_a_missing_library(
    examine: Examine, healthy: Callable[[int], str], root: Path, place: dict[str, str], library: str, cure: str
) -> None:
    told = healthy(1)
    if library == CUDA:
        take_out(root)
    else:
        told += "init !12\n"  # NVML_ERROR_LIBRARY_NOT_FOUND
    for path, text in place.items():
        write(root / path, text)
    found = examine(told)["checks"]["driver-user-space"]
    assert found["status"] == "failed"
    assert cure in found["fix"]
    assert "reboot" not in found["fix"]


def test_debians_own_driver_is_found(examine: Examine, healthy: Callable[[int], str], root: Path) -> None:
    told = healthy(1)
    take_out(root)
    write(root / FOLDER / "nvidia/current" / f"libcuda.so.{DRIVER}", "")
    for link, target in {
        f"{FOLDER}/nvidia/current/libcuda.so.1": f"libcuda.so.{DRIVER}",
        "etc/alternatives/nvidia--libcuda.so.1-x86_64-linux-gnu": f"/{FOLDER}/nvidia/current/libcuda.so.1",
        f"{FOLDER}/libcuda.so.1": "/etc/alternatives/nvidia--libcuda.so.1-x86_64-linux-gnu",
    }.items():
        (root / link).parent.mkdir(parents=True, exist_ok=True)
        (root / link).symlink_to(target)
    found = examine(told)["checks"]
    assert (found["driver-user-space"]["status"], found["driver-user-space"]["measured"]) == ("ok", f"both {DRIVER}")
    assert "libcuda" not in found["compatibility"]["measured"]


@pytest.mark.parametrize(
    ("on_disk", "cure"), [("570.10.01", "sudo reboot"), (DRIVER, "rigforge-doctor upgrade --plan"), ("", "sudo reboot")]
)
def test_a_reboot_is_the_cure_only_where_the_next_module_is_that_of_the_libraries(
    examine: Examine, healthy: Callable[[int], str], root: Path, on_disk: str, cure: str
) -> None:
    told = healthy(1)
    take_out(root)
    write(root / FOLDER / "libcuda.so.570.10.01", "")
    (root / FOLDER / CUDA).symlink_to("libcuda.so.570.10.01")
    machines.program(root, "modinfo", f"echo {on_disk}")
    assert cure in examine(told)["checks"]["driver-user-space"]["fix"]


def test_a_stub_is_no_driver(examine: Examine, healthy: Callable[[int], str], root: Path) -> None:
    told = healthy(1)
    write(root / "etc/ld.so.conf.d/cuda.conf", "/usr/local/cuda/lib64/stubs\n")
    write(root / "etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n")
    write(root / "usr/local/cuda/lib64/stubs" / CUDA, "")
    found = examine(told)["checks"]["driver-user-space"]
    assert (found["status"], "is for linking" in found["measured"]) == ("failed", True)


@pytest.mark.parametrize("folder", [f"/{FOLDER}", "/usr/local/nvidia/lib64"])
def test_the_drivers_own_folder_in_the_library_path_shadows_nothing(
    examine: Examine, healthy: Callable[[int], str], root: Path, folder: str
) -> None:
    told = healthy(1)
    if folder != f"/{FOLDER}":
        take_out(root)
        write(root / folder.lstrip("/") / f"libcuda.so.{DRIVER}", "")
        (root / folder.lstrip("/") / CUDA).symlink_to(f"libcuda.so.{DRIVER}")
    found = examine(told, LD_LIBRARY_PATH=folder)["checks"]
    assert (found["library-path"]["status"], found["driver-user-space"]["status"]) == ("ok", "ok")


def test_a_newer_libcuda_of_the_compatibility_package_is_no_mismatch(
    examine: Examine, healthy: Callable[[int], str], root: Path
) -> None:
    told = healthy(1)
    folder = "usr/local/cuda-13.5/compat"
    write(root / "etc/ld.so.conf", f"/{folder}\n")
    write(root / folder / "libcuda.so.620.70.06", "")
    (root / folder / CUDA).symlink_to("libcuda.so.620.70.06")
    found = examine(told)["checks"]
    assert found["driver-user-space"]["status"] == "ok"
    assert "620" not in found["compatibility"]["measured"]
