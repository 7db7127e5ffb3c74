"""What a container says of its GPU, against libraries that answer as drivers do."""

from __future__ import annotations

import ast
import runpy
import subprocess
import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from rigforge.compat.cuda import OLDEST_DRIVER, driver_runs, number
from tests.containers.driver_libraries import CRASHES, HANGS, make_libcuda, make_nvml
from tests.containers.installed import CUDA_12_8, CUDA_13_0, FILES, install

PROPRIETARY = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  {}  Mon Apr  1 00:00:00 UTC 2026\nGCC version:  gcc 12\n"
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {}  Release Build  (dvs-builder@U22)\n"


@dataclass(frozen=True)
class Container:
    root: Path
    libraries: Path

    def has_module(self, version: str, text: str = PROPRIETARY) -> None:
        folder = self.root / "proc/driver/nvidia"
        folder.mkdir(parents=True)
        (folder / "version").write_text(text.format(version))

    def check(self, before: str = "", patience: float = 20, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs the check; `before` is Python to run first."""
        code = [
            "import ctypes, os, pathlib, runpy",
            before,
            f"check = runpy.run_path({str(FILES / 'gpu_check.py')!r})",
            f"os._exit(check['main'](pathlib.Path({str(self.root)!r}), {patience}))",
        ]
        return subprocess.run(
            [sys.executable, "-I", "-c", "\n".join(code)],
            env={"LD_LIBRARY_PATH": str(self.libraries), **variables},
            capture_output=True,
            text=True,
        )

    def complaint(self, before: str = "", patience: float = 20, **variables: str) -> str:
        """The one line that the check says, and goes on."""
        done = self.check(before, patience, **variables)
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr.startswith("rigforge: ") and done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    def is_content(self) -> bool:
        done = self.check(RIGFORGE_GPU_CHECK="strict")
        return (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture
def container(tmp_path: Path) -> Container:
    """An image of CUDA 12.8."""
    (tmp_path / "lib").mkdir()
    install(tmp_path / "root", CUDA_12_8)
    return Container(tmp_path / "root", tmp_path / "lib")


@pytest.fixture
def container_13(tmp_path: Path) -> Container:
    """An image of CUDA 13.0."""
    (tmp_path / "lib").mkdir()
    install(tmp_path / "root", CUDA_13_0)
    return Container(tmp_path / "root", tmp_path / "lib")


#: Looks for libraries where there are none, also on a machine that has a driver.
NO_LIBRARIES = "real = ctypes.CDLL; ctypes.CDLL = lambda name: real('/nowhere/' + name)"


def test_without_a_driver_it_says_how_to_start_the_container(container: Container) -> None:
    said = container.complaint(before=NO_LIBRARIES)
    assert "no NVIDIA driver in this container; the image has CUDA 12.8 and needs driver >= 525.60.13" in said
    assert "--gpus all" in said and "--device nvidia.com/gpu=all" in said


def test_a_library_that_does_not_load_is_quoted(container: Container) -> None:
    (container.libraries / "libcuda.so.1").write_text("not a library, though long enough to have a header of one\n" * 9)
    assert "invalid ELF header" in container.complaint()


def test_the_same_cuda_is_fine(container: Container) -> None:
    make_libcuda(container.libraries, "libcuda.so.570.211.01", speaks=12080)
    assert container.is_content()


def test_a_newer_driver_is_fine(container: Container) -> None:
    make_libcuda(container.libraries, "libcuda.so.580.95.05", speaks=13000)
    assert container.is_content()


def test_an_older_driver_of_the_same_cuda_generation_is_fine(container: Container) -> None:
    make_libcuda(container.libraries, "libcuda.so.535.309.01", speaks=12020)
    container.has_module("535.309.01")
    assert container.is_content()


def test_the_compatibility_library_on_an_old_kernel_module_is_fine_when_it_starts(container_13: Container) -> None:
    make_libcuda(container_13.libraries, "libcuda.so.580.95.05", speaks=13000)
    container_13.has_module("535.309.01")
    assert container_13.is_content()


def test_an_old_driver_is_named_with_its_cuda_and_the_cure(container: Container) -> None:
    make_libcuda(container.libraries, "libcuda.so.450.248.02", speaks=11000)
    assert container.complaint() == (
        "rigforge: driver 450.248.02, which speaks CUDA 11.0, is too old: the image has CUDA 12.8 and needs "
        "driver >= 525.60.13; update the driver of the host, or take an image for an older CUDA\n"
    )


def test_a_driver_just_below_the_oldest_is_too_old(container: Container) -> None:
    make_libcuda(container.libraries, "libcuda.so.525.60.12", speaks=12000)
    assert "driver 525.60.12, which speaks CUDA 12.0, is too old" in container.complaint()


def test_a_driver_of_the_cuda_generation_before_is_too_old(container_13: Container) -> None:
    make_libcuda(container_13.libraries, "libcuda.so.535.309.01", speaks=12020)
    said = container_13.complaint()
    assert "driver 535.309.01, which speaks CUDA 12.2, is too old" in said
    assert "the image has CUDA 13.0 and needs driver >= 580;" in said


def test_where_the_name_of_the_library_has_no_version_nvml_is_asked(container: Container) -> None:
    """As under WSL."""
    make_libcuda(container.libraries, "libcuda.so.1.1", speaks=11040)
    make_nvml(container.libraries, "472.39")
    assert "driver 472.39, which speaks CUDA 11.4, is too old" in container.complaint()


def test_mounted_under_each_of_its_names_the_library_tells_its_version_all_the_same(container: Container) -> None:
    """As CDI mounts it: no name is a link to another."""
    make_libcuda(container.libraries, "libcuda.so.450.248.02", speaks=11000)
    name = container.libraries / "libcuda.so.1"
    name.unlink()
    name.hardlink_to(container.libraries / "libcuda.so.450.248.02")
    (container.libraries / "libcuda.so.535.309.01").write_text("left over from another driver")
    assert "driver 450.248.02, which speaks CUDA 11.0, is too old" in container.complaint()


@pytest.mark.parametrize("text", [PROPRIETARY, OPEN], ids=["proprietary", "open"])
def test_user_space_and_kernel_module_of_two_drivers(container: Container, text: str) -> None:
    make_libcuda(container.libraries, "libcuda.so.535.309.01", speaks=12020, init=803)
    container.has_module("450.248.02", text)
    said = container.complaint()
    assert "libcuda is of driver 535.309.01, but the host's kernel module is 450.248.02" in said


def test_a_stub_is_named_by_its_path(container: Container) -> None:
    make_libcuda(container.libraries, "libcuda.so", speaks=0, init=34)
    assert f"{container.libraries}/libcuda.so is only a stub" in container.complaint()


def test_a_driver_without_a_gpu_says_what_hides_it(container: Container) -> None:
    make_libcuda(container.libraries, "libcuda.so.535.309.01", speaks=12020, init=100)
    said = container.complaint(NVIDIA_VISIBLE_DEVICES="void", CUDA_VISIBLE_DEVICES="")
    assert "driver 535.309.01 (CUDA 12.2) is there, but no GPU is visible" in said
    assert "NVIDIA_VISIBLE_DEVICES='void', CUDA_VISIBLE_DEVICES=''" in said


def test_a_driver_that_counts_no_gpu_is_the_same(container: Container) -> None:
    make_libcuda(container.libraries, "libcuda.so.535.309.01", speaks=12020, gpus=0)
    assert "no GPU is visible" in container.complaint()


def test_gpus_that_wait_for_the_fabric_manager(container: Container) -> None:
    make_libcuda(container.libraries, "libcuda.so.570.211.01", speaks=12080, init=802)
    assert "nvidia-fabricmanager" in container.complaint()


def test_another_error_is_given_by_its_number(container: Container) -> None:
    make_libcuda(container.libraries, "libcuda.so.570.211.01", speaks=12080, init=999)
    assert "driver 570.211.01 (CUDA 12.8) answers with error 999" in container.complaint()


def test_a_driver_that_hangs_does_not_hang_the_container(container: Container) -> None:
    make_libcuda(container.libraries, "libcuda.so.570.211.01", speaks=12080, init=HANGS)
    assert "driver 570.211.01 has not answered cuInit in 0.1 s" in container.complaint(patience=0.1)


def test_strict_makes_a_complaint_an_error(container: Container) -> None:
    make_libcuda(container.libraries, "libcuda.so.535.309.01", speaks=12020, init=100)
    done = container.check(RIGFORGE_GPU_CHECK="strict")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1


def test_off_asks_no_driver(container: Container) -> None:
    make_libcuda(container.libraries, "libcuda.so.535.309.01", speaks=12020, init=CRASHES)
    done = container.check(RIGFORGE_GPU_CHECK="off")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_manifest_that_says_nothing_is_one_line(container: Container) -> None:
    (container.root / "etc/rigforge/manifest.json").write_text("{}")
    assert "the GPU check itself failed (KeyError: 'requires')" in container.complaint()
    assert container.check(RIGFORGE_GPU_CHECK="strict").returncode == 1


def test_the_rule_is_that_of_the_builder() -> None:
    runs = runpy.run_path(str(FILES / "gpu_check.py"))["runs"]
    drivers = ("450.248.02", "525.60.12", "525.60.13", "535.309.01", "570.211.01", "580.95.05")
    wrong = [
        f"driver {driver}, which speaks {speaks}, with CUDA {cuda}"
        for driver, speaks, cuda in product(drivers, (11000, 12000, 12080, 13000), ("11.8", "12.8", "13.0"))
        if runs(driver, speaks, number(cuda), OLDEST_DRIVER[number(cuda) // 1000])
        != driver_runs(driver, speaks, number(cuda))
    ]
    assert not wrong, "\n".join(wrong)


def test_the_oldest_python_of_an_operating_system_reads_it() -> None:
    ast.parse((FILES / "gpu_check.py").read_text(), feature_version=(3, 8))
