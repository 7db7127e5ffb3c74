"""Driver and compiler from NVIDIA's own archive: what is wished for comes from there, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rigforge.compat import request
from rigforge.compat.solution import find_solution
from rigforge.distributions import debian, ubuntu
from rigforge.errors import RigforgeError
from rigforge.lock.model import Lock
from rigforge.sources.mirrors import Mirrors
from tests.lock.ubuntu_desk import Desk, desk
from tests.lock.workshop import GPU, Workshop
from tests.sources.serving import served
from tests.sources.signed_archive import FlatArchive, Key

__all__ = ["desk"]

NVIDIA = '[[archives]]\nrole = "nvidia"\nsuite = "/"\nkeyring = "KEYRING"\n'
DRIVER = GPU.replace('provider = "apt"\nversion = "535.309.01"', 'provider = "nvidia"\nversion = "580.178.04"')


def driver(archive: FlatArchive, version: str, names: tuple[str, ...], revision: str = "-1") -> None:
    """Adds a driver as NVIDIA has it: user space and both modules, all in one version."""
    for name in names:
        archive.add(name, f"{version}{revision}", Source="nvidia-graphics-drivers")


@pytest.fixture
def nvidia(key: Key, tmp_path: Path) -> FlatArchive:
    """NVIDIA's archive for Debian 12, with a newer driver and the one that Debian has, and two releases of nvcc."""
    archive = FlatArchive(tmp_path / "served/nvidia")
    names = (*debian.NVIDIA_DRIVER, "nvidia-kernel-dkms", "nvidia-kernel-open-dkms")
    for version in ("535.309.01", "580.178.04", "615.71.09"):
        driver(archive, version, names)
    for release, version in (("12-8", "12.8.93-1"), ("13-0", "13.0.88-1")):
        archive.add(f"cuda-crt-{release}", version)
        archive.add(f"cuda-nvvm-{release}", version)
        archive.add(f"cuda-nvcc-{release}", version, Depends=f"cuda-crt-{release}, cuda-nvvm-{release}")
    archive.publish(key)
    return archive


@pytest.fixture
def with_nvidia(workshop: Workshop, nvidia: FlatArchive) -> Iterator[Workshop]:
    with served(nvidia.path) as url:
        workshop.mirrors = Mirrors({**workshop.mirrors.urls, "nvidia": url})
        yield workshop


def of_nvidia(lock: Lock, layer: str) -> dict[str, str]:
    return {file.name: file.version for file in lock.part(layer) if file.file.startswith("nvidia:")}


def test_the_driver_and_the_source_of_its_open_module(with_nvidia: Workshop) -> None:
    lock = with_nvidia.lock(with_nvidia.stack(DRIVER, NVIDIA))
    assert lock.versions["driver"] == "580.178.04"
    assert of_nvidia(lock, "host") == dict.fromkeys(debian.NVIDIA_DRIVER, "580.178.04-1")
    assert of_nvidia(lock, "module") == {"nvidia-kernel-open-dkms": "580.178.04-1"}
    assert lock.decision and lock.decision.verdict == "native"
    assert any(reason.startswith("kernel module open") for reason in lock.decision.reasons)


def test_the_proprietary_module_on_demand(with_nvidia: Workshop) -> None:
    wish = DRIVER.replace('"580.178.04"', '"580.178.04"\nmodule = "proprietary"')
    lock = with_nvidia.lock(with_nvidia.stack(wish, NVIDIA))
    assert of_nvidia(lock, "module") == {"nvidia-kernel-dkms": "580.178.04-1"}


def test_what_the_distribution_has_comes_from_it_although_nvidia_has_it_newer(with_nvidia: Workshop) -> None:
    lock = with_nvidia.lock(with_nvidia.stack(GPU.replace('= ["nvidia-cuda-nvcc-cu12"]', "= []"), NVIDIA))
    assert of_nvidia(lock, "host") == of_nvidia(lock, "module") == {}
    assert lock.versions["driver"] == "535.309.01"


def test_a_version_that_nvidia_has_not_is_told_with_those_it_has(with_nvidia: Workshop) -> None:
    with pytest.raises(RigforgeError, match=r"'580\.1\.1' is not in the stack's archives") as error:
        with_nvidia.lock(with_nvidia.stack(DRIVER.replace("580.178.04", "580.1.1"), NVIDIA))
    assert "they have 615.71.09 and 580.178.04 and 535.309.01" in error.value.hint


def test_a_branch_is_no_version(with_nvidia: Workshop) -> None:
    with pytest.raises(RigforgeError, match="needs the version in full"):
        with_nvidia.stack(DRIVER.replace("580.178.04", "580"), NVIDIA)


def test_there_is_no_choice_of_modules_elsewhere(with_nvidia: Workshop) -> None:
    with pytest.raises(RigforgeError, match='with provider "nvidia" alone'):
        with_nvidia.stack(GPU.replace('"535.309.01"', '"535.309.01"\nmodule = "proprietary"'))


def test_a_new_card_works_with_it_on_debian_12(with_nvidia: Workshop) -> None:
    card = '[gpu]\nmodels = ["RTX 5090"]\n'
    stack = with_nvidia.stack(DRIVER, NVIDIA, card)
    found = find_solution(request.build_request((), {}, stack)).combination
    assert found and (found.driver.version, found.driver.module) == ("580.178.04", "open")
    assert with_nvidia.lock(stack).decision


def test_nvcc_in_the_layer_devel(with_nvidia: Workshop) -> None:
    stack = with_nvidia.change(with_nvidia.stack(GPU, NVIDIA), '["g++"]', '["g++", "cuda-nvcc-12-8"]')
    assert of_nvidia(with_nvidia.lock(stack), "devel") == {
        "cuda-crt-12-8": "12.8.93-1",
        "cuda-nvcc-12-8": "12.8.93-1",
        "cuda-nvvm-12-8": "12.8.93-1",
    }


def test_nvcc_of_another_release_is_refused_with_the_right_one(with_nvidia: Workshop) -> None:
    stack = with_nvidia.change(with_nvidia.stack(GPU, NVIDIA), '["g++"]', '["g++", "cuda-nvcc-13-0"]')
    with pytest.raises(RigforgeError, match=r"cuda-crt-13-0 is not of the CUDA in cuda\.version, 12\.8") as error:
        with_nvidia.lock(stack)
    assert "cuda-crt-12-8" in error.value.hint


def test_a_second_cuda_in_another_layer_is_refused(with_nvidia: Workshop) -> None:
    stack = with_nvidia.change(
        with_nvidia.stack(GPU, NVIDIA), '["openssh-server"]', '["openssh-server", "cuda-nvcc-12-8"]'
    )
    with pytest.raises(RigforgeError, match="in the layer host would be a second CUDA") as error:
        with_nvidia.lock(stack)
    assert "packages.devel" in error.value.hint


def test_the_driver_on_ubuntu_in_place_of_canonicals(desk: Callable[[str], Desk]) -> None:
    here = desk("noble")
    here.ubuntu.together()
    archive = FlatArchive(here.folder / "served/nvidia")
    driver(archive, "580.178.04", (*ubuntu.DRIVER, "nvidia-dkms-open", "nvidia-dkms"), "-1ubuntu1")
    archive.publish(here.key)
    here.mirrors = Mirrors({**here.mirrors.urls, "nvidia": here.mirrors.url("ubuntu").replace("ubuntu", "nvidia")})
    wish = '\n[driver]\nprovider = "nvidia"\nversion = "580.178.04"\n'
    here.write(archives="\n" + NVIDIA.replace("KEYRING", str(here.key.keyring)), more=wish)
    lock = here.lock()
    assert of_nvidia(lock, "host") == dict.fromkeys(ubuntu.DRIVER, "580.178.04-1ubuntu1")
    assert of_nvidia(lock, "module") == {"nvidia-dkms-open": "580.178.04-1ubuntu1"}
    assert not any(file.name.startswith("linux-modules-nvidia") for file in lock.files)
