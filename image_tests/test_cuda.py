"""CUDA: the driver library against the run-time libraries, the compiler, and that nothing is there twice."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from testinfra.host import Host

from rigforge.compat.cuda import driver_runs, major, number
from rigforge.verify.expectations import Expectations

pytestmark = pytest.mark.needs("cuda")

# cuda.h, enum cudaError_enum.
SUCCESS, NO_DEVICE = 0, 100


@pytest.fixture(scope="module")
def libcuda(probe: Callable[[str], Any]) -> dict[str, Any]:
    """What the driver's own library says."""
    found: dict[str, Any] = probe("cuda")
    return found


@pytest.mark.needs("driver")
def test_driver_library_says_its_version(libcuda: dict[str, Any]) -> None:
    assert libcuda["version_result"] == SUCCESS


@pytest.mark.needs("driver")
def test_driver_runs_programs_of_this_cuda(libcuda: dict[str, Any], expected: Expectations) -> None:
    driver = libcuda["library"].rpartition(".so.")[2]
    assert driver_runs(driver, libcuda["version"], number(expected.versions["cuda"]))


@pytest.mark.needs("driver")
def test_driver_misses_nothing_but_a_gpu(libcuda: dict[str, Any], has_gpu: bool) -> None:
    """803 and 804 would mean that library and kernel module do not fit."""
    assert libcuda["init_result"] == (SUCCESS if has_gpu else NO_DEVICE)


def test_cuda_is_one_tree(host: Host) -> None:
    assert host.file("/usr/local/cuda").exists
    assert host.run("ls /usr/local/cuda/lib64/libcudart.so.*").rc == 0


@pytest.mark.parametrize("library", ["libcublas", "libcudnn", "libcudart"])
def test_library_is_there_once(host: Host, as_root: Callable[[], AbstractContextManager[object]], library: str) -> None:
    with as_root():
        found = host.check_output("find / -xdev -type f -name %s -printf '%%D:%%i %%p\n'", f"{library}.so*")
    copies = dict(line.split(" ", 1) for line in found.splitlines())
    assert len(copies) == 1, found


@pytest.fixture(scope="module")
def nvrtc(probe: Callable[[str], Any]) -> dict[str, Any]:
    """A kernel that was compiled on the machine."""
    found: dict[str, Any] = probe("nvrtc")
    return found


def test_run_time_compiler_is_of_the_same_cuda(nvrtc: dict[str, Any], expected: Expectations) -> None:
    assert number(nvrtc["version"]) == number(expected.versions["cuda"])


def test_run_time_compiler_makes_machine_code_for_every_architecture(nvrtc: dict[str, Any]) -> None:
    assert [name for name, size in nvrtc["cubin_bytes"].items() if size == 0] == []


@pytest.mark.needs("devel")
def test_assembler_is_of_the_same_cuda(host: Host, expected: Expectations) -> None:
    said = host.check_output("/usr/local/cuda/bin/ptxas --version")
    release = re.search(r"release (\d+\.\d+)", said)
    assert release
    assert number(release[1]) == number(expected.versions["cuda"])


@pytest.fixture(scope="module")
def nvcc(probe: Callable[[str], Any]) -> dict[str, Any]:
    """A program that was compiled on the machine."""
    found: dict[str, Any] = probe("nvcc")
    return found


@pytest.mark.needs("nvcc")
def test_compiler_is_of_the_same_cuda(nvcc: dict[str, Any], expected: Expectations) -> None:
    assert number(nvcc["version"]) == number(expected.versions["cuda"])


@pytest.mark.needs("nvcc")
def test_compiled_program_computes_on_a_gpu_or_says_what_is_missing(
    nvcc: dict[str, Any], has_gpu: bool, expected: Expectations
) -> None:
    """Of no driver at all CUDA says the same as of one that is too old."""
    missing = "cudaErrorNoDevice" if "driver" in expected.versions else "cudaErrorInsufficientDriver"
    assert nvcc["said"] == ("2 4 6 8" if has_gpu else missing)


@pytest.mark.needs("nvcc", "devel", "pytorch")
def test_extension_of_pytorch_is_compiled_by_nvcc_and_computes_on_a_gpu(
    probe: Callable[[str], Any], has_gpu: bool
) -> None:
    assert probe("extension") == ([2.0 * number for number in range(1000)] if has_gpu else "compiled and loaded")


@pytest.mark.needs("devel")
@pytest.mark.parametrize("file", ["include/cuda_runtime.h", "include/cublas_v2.h", "lib64/libcudart.so"])
def test_what_compilers_need_is_in_the_tree(host: Host, file: str) -> None:
    assert host.run("test -e %s", f"/usr/local/cuda/{file}").rc == 0


@pytest.mark.needs("devel")
def test_cub_is_in_the_tree(host: Host, expected: Expectations) -> None:
    """CUDA 13 has its C++ libraries in a folder of their own, which nvcc knows."""
    place = "cccl/cub" if major(expected.versions["cuda"]) >= 13 else "cub"
    assert host.run("test -e %s", f"/usr/local/cuda/include/{place}/cub.cuh").rc == 0
