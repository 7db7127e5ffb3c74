"""From a stack to its lock, with a real archive and a real index, both small."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rigforge import distributions
from rigforge.errors import RigforgeError
from rigforge.lock.model import Lock, asked, to_text
from rigforge.sources.mirrors import Mirrors
from tests.lock.workshop import GPU, OLD, Workshop
from tests.sources.serving import NOBODY
from tests.sources.wheel_index import WheelIndex


def names(lock: Lock, layer: str) -> set[str]:
    return {file.name for file in lock.part(layer)}


def versions(lock: Lock) -> dict[str, str]:
    return {file.name: file.version for file in lock.files}


def test_a_stack_without_gpu_software_is_a_base_a_devel_and_a_host(workshop: Workshop) -> None:
    stack = workshop.stack()
    lock = workshop.lock(stack)
    assert (lock.stack, lock.stack_sha256) == ("rig", asked(stack))
    assert names(lock, "base") == {"apt", "bash", "libc6", "tzdata", "python3", "python3.11"}
    assert names(lock, "devel") == {"g++"}
    assert names(lock, "host") == {
        *distributions.of(stack).installer.packages,
        "openssh-server",
        "linux-image-amd64",
        "linux-image-6.1.0-56-amd64",
    }
    assert not any(lock.part(layer) for layer in ("cuda", "python", "module"))
    assert lock.versions == {"kernel": "6.1.0-56-amd64", "kernel_package_version": "6.1.56-1"}


def test_the_lock_has_the_date_of_the_newest_archive(workshop: Workshop) -> None:
    lock = workshop.lock(workshop.stack())
    assert [(state.suite, state.date) for state in lock.archives] == [
        ("bookworm", "Sat, 11 Jul 2026 10:00:00 UTC"),
        ("bookworm-security", "Sat, 21 Nov 2026 00:00:00 UTC"),
    ]
    assert lock.source_date_epoch == 1795219200


def test_the_full_stack_is_divided_among_the_layers(workshop: Workshop) -> None:
    stack = workshop.stack(GPU)
    lock = workshop.lock(stack)
    assert names(lock, "cuda") == {"nvidia-cuda-runtime-cu12", "nvidia-cudnn-cu12"}
    assert names(lock, "python") == {"torch", "jupyterlab", "numpy"}
    assert names(lock, "devel") == {"g++", "nvidia-cuda-nvcc-cu12", "nvidia-cuda-crt-cu12"}
    assert names(lock, "module") == {
        "nvidia-kernel-dkms",
        "nvidia-alternative",
        "linux-headers-amd64",
        "linux-headers-6.1.0-56-amd64",
    }
    assert set(distributions.of(stack).driver.user_space) < names(lock, "host")
    assert lock.versions == {
        "kernel": "6.1.0-56-amd64",
        "kernel_package_version": "6.1.56-1",
        "driver": "535.309.01",
        "cuda": "12.8.90",
        "cudnn": "9.10.2.21",
        "pytorch": "2.10.0",
        "python": "3.11.2",
        "jupyterlab": "4.6.6",
    }


def test_what_compiling_the_module_needs_is_not_taken_from_the_host(workshop: Workshop) -> None:
    """The layer module is not shipped: what both need must be in the host as well."""
    lock = workshop.lock(workshop.stack(GPU))
    assert "nvidia-alternative" in names(lock, "module") & names(lock, "host")


def test_the_same_stack_and_archives_give_the_same_bytes(workshop: Workshop) -> None:
    stack = workshop.stack(GPU)
    assert to_text(workshop.lock(stack)) == to_text(workshop.lock(stack))


def test_files_are_named_by_role_and_never_by_host(workshop: Workshop) -> None:
    lock = workshop.lock(workshop.stack(GPU))
    assert {file.file.partition(":")[0] for file in lock.files} == {"debian", "debian-security", "pypi"}
    assert "127.0.0.1" not in to_text(lock)


def test_nvcc_is_of_the_cuda_release_of_the_libraries_although_a_newer_one_is_there(workshop: Workshop) -> None:
    assert versions(workshop.lock(workshop.stack(GPU)))["nvidia-cuda-nvcc-cu12"] == "12.8.93"


def test_what_nvcc_consists_of_is_of_its_release(workshop: Workshop, wheels: WheelIndex) -> None:
    """From CUDA 13 on, nvcc's wheel asks for its parts in any version, and they only work together in one."""
    wheels.add("nvidia-cuda-runtime", "13.0.96")
    wheels.add("nvidia-cudnn-cu13", "9.19.0.56")
    wheels.add("torch", "2.11.0", requires=["nvidia-cuda-runtime==13.0.96", "nvidia-cudnn-cu13==9.19.0.56"])
    wheels.add("nvidia-cuda-nvcc", "13.0.88", requires=["nvidia-nvvm", "nvidia-cuda-crt"])
    for part in ("nvidia-nvvm", "nvidia-cuda-crt"):
        wheels.add(part, "13.0.88")
        wheels.add(part, "13.5.37")
    wanted = GPU.replace('"12.8"', '"13.0"').replace('"9.10.2.21"', '"9.19.0.56"').replace('"2.10.0"', '"2.11.0"')
    wanted = wanted.replace('provider = "apt"\nversion = "535.309.01"', 'provider = "none"')
    found = versions(workshop.lock(workshop.stack(wanted.replace("nvidia-cuda-nvcc-cu12", "nvidia-cuda-nvcc"))))
    assert {found[name] for name in ("nvidia-cuda-nvcc", "nvidia-nvvm", "nvidia-cuda-crt")} == {"13.0.88"}


def test_a_version_that_the_stack_gives_a_part_of_the_toolkit_holds(workshop: Workshop) -> None:
    stack = workshop.change(workshop.stack(GPU), '["nvidia-cuda-nvcc-cu12"]', '["nvidia-cuda-nvcc-cu12>=12.9"]')
    assert versions(workshop.lock(stack))["nvidia-cuda-nvcc-cu12"] == "12.9.86"


def test_devel_cannot_change_what_the_machine_runs(workshop: Workshop, wheels: WheelIndex) -> None:
    wheels.add("numpy", "1.26.4")
    wheels.add("old-tool", "1.0", requires=["numpy<2"])
    stack = workshop.change(workshop.stack(GPU), '["nvidia-cuda-nvcc-cu12"]', '["old-tool"]')
    with pytest.raises(RigforgeError, match="numpy<2") as error:
        workshop.lock(stack)
    assert "old-tool (devel.python_packages)" in error.value.hint


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"12.8"', '"13.0"', r"cuda\.version = '13\.0', but the wheels of PyTorch 2\.10\.0 bring 12\.8\.90"),
        ('"12.8"', '"12.8.9"', r"cuda\.version = '12\.8\.9', but"),
        ("9.10.2.21", "9.24.0.43", r"cudnn\.version = '9\.24\.0\.43', but the wheels .* bring 9\.10\.2\.21"),
    ],
)
def test_another_cuda_or_cudnn_than_pytorch_brings_is_refused(
    workshop: Workshop, old: str, new: str, complaint: str
) -> None:
    with pytest.raises(RigforgeError, match=complaint):
        workshop.lock(workshop.change(workshop.stack(GPU), old, new))


def test_the_driver_asked_for_is_taken_with_all_its_parts_although_a_newer_one_is_there(workshop: Workshop) -> None:
    lock = workshop.lock(workshop.change(workshop.stack(GPU), "535.309.01", "535.261.03"))
    found = versions(lock)
    assert {found[name] for name in ("libcuda1", "nvidia-smi", "nvidia-kernel-dkms", "nvidia-alternative")} == {OLD}
    assert lock.versions["driver"] == "535.261.03"
    assert found["nvidia-persistenced"] == "535.171.04-1~deb12u1"


def test_a_driver_that_the_archives_do_not_have_is_refused_with_those_they_have(workshop: Workshop) -> None:
    with pytest.raises(RigforgeError, match=r"driver\.version = '580\.65\.06' is not in the stack's archives") as error:
        workshop.lock(workshop.change(workshop.stack(GPU), "535.309.01", "580.65.06"))
    assert "535.309.01 and 535.261.03" in error.value.hint


def test_python_of_another_series_than_the_distribution_s_is_refused(workshop: Workshop) -> None:
    with pytest.raises(RigforgeError, match=r"python\.version = '3\.13', but the Python of bookworm is 3\.11\.2"):
        workshop.lock(workshop.change(workshop.stack(GPU), '"3.11"', '"3.13"'))


def test_python_wishes_without_python_in_the_base_are_refused(workshop: Workshop) -> None:
    with pytest.raises(RigforgeError, match="the layer base has no python3") as error:
        workshop.lock(workshop.change(workshop.stack(GPU), 'base = ["python3"]', "base = []"))
    assert "packages.base" in error.value.hint


def test_two_kernels_are_refused(workshop: Workshop) -> None:
    stack = workshop.change(workshop.stack(), '["openssh-server"]', '["linux-image-6.1.0-55-amd64"]')
    with pytest.raises(RigforgeError, match=r"brings 6\.1\.0-5[56]-amd64 and 6\.1\.0-5[56]-amd64"):
        workshop.lock(stack)


def test_a_package_that_does_not_exist_is_told_with_its_key(workshop: Workshop) -> None:
    stack = workshop.change(workshop.stack(), '["openssh-server"]', '["openssh-sever"]')
    with pytest.raises(RigforgeError, match=r"openssh-sever \(asked for by packages\.host\)") as error:
        workshop.lock(stack)
    assert "openssh-server" in error.value.hint


def test_a_lock_of_the_stack_as_it_is_is_returned_without_asking_anybody(workshop: Workshop) -> None:
    stack = workshop.stack(GPU)
    lock = workshop.lock(stack)
    workshop.mirrors = Mirrors(dict.fromkeys(("debian", "debian-security", "pypi"), NOBODY))
    assert workshop.lock(stack, previous=lock) == lock


def test_a_changed_stack_keeps_the_versions_of_wheels_and_an_upgrade_takes_new_ones(
    workshop: Workshop, wheels: WheelIndex
) -> None:
    stack = workshop.stack(GPU)
    lock = workshop.lock(stack)
    wheels.add("numpy", "2.5.0")
    wheels.add("pandas", "3.0")
    stack = workshop.change(stack, '["jupyterlab"]', '["jupyterlab", "pandas"]')
    changed = workshop.lock(stack, previous=lock)
    assert (versions(changed)["numpy"], versions(changed)["pandas"]) == ("2.4.0", "3.0")
    assert changed.stack_sha256 == asked(stack)
    assert versions(workshop.lock(stack, previous=changed, upgrade=True))["numpy"] == "2.5.0"


@pytest.mark.parametrize("upgrade", [False, True])
def test_an_archive_that_is_older_than_in_the_lock_before_is_refused(workshop: Workshop, upgrade: bool) -> None:
    stack = workshop.stack()
    lock = workshop.lock(stack)
    seen = tuple(replace(archive, date="Sun, 22 Nov 2026 00:00:00 UTC") for archive in lock.archives)
    before = replace(lock, archives=seen, stack_sha256="of another wish")
    with pytest.raises(RigforgeError, match=r"of Sat, 11 Jul 2026 .* as it was on Sun, 22 Nov 2026") as error:
        workshop.lock(stack, previous=before, upgrade=upgrade)
    assert f"remove {stack.lock_path}" in error.value.hint
    assert workshop.lock(stack, previous=replace(lock, stack_sha256="of another wish"), upgrade=upgrade) == lock
