"""The chain of versions says what it knows, from the stack's files and the lock."""

from __future__ import annotations

from dataclasses import replace

from rigforge.lock.model import Lock, read
from rigforge.report.chain import Link, chain
from rigforge.stack.load import load

DEBIAN_12 = load("debian-12")
LOCK = read(DEBIAN_12.lock_path)


def links(lock: Lock = LOCK) -> dict[str, Link]:
    return {link.name: link for link in chain(DEBIAN_12, lock)}


def with_version(**versions: str) -> Lock:
    return replace(LOCK, versions={**LOCK.versions, **versions})


def test_the_chain_goes_from_the_kernel_up_to_jupyterlab() -> None:
    names = ["Linux kernel", "NVIDIA driver", "CUDA", "cuDNN", "PyTorch", "Python", "JupyterLab"]
    assert list(links()) == names
    assert all(link.version and link.reasons for link in links().values())


def test_a_wish_is_named_with_its_file_and_key() -> None:
    wish = f'asked for in debian-12.toml: [driver] version = "{DEBIAN_12.driver.version}"'
    assert wish in links()["NVIDIA driver"].reasons


def test_a_wish_of_a_stack_that_is_extended_names_that_ones_file() -> None:
    assert 'asked for in smoke.toml: [kernel] package = "linux-image-amd64"' in links()["Linux kernel"].reasons


def test_a_package_in_a_list_of_wishes_is_found() -> None:
    assert 'asked for in debian-12.toml: [python] packages has "jupyterlab"' in links()["JupyterLab"].reasons


def test_cuda_names_the_oldest_driver_and_whether_the_locked_one_will_do() -> None:
    rule = "any CUDA 12 needs driver 525.60.13 or later (NVIDIA, CUDA Compatibility)"
    assert f"{rule}: {LOCK.versions['driver']} will do" in links()["CUDA"].reasons
    assert f"{rule}: 520.1 is too old" in links(with_version(driver="520.1"))["CUDA"].reasons


def test_a_cuda_of_which_no_rule_is_known_has_none() -> None:
    assert not any("needs driver" in reason for reason in links(with_version(cuda="99.1.0"))["CUDA"].reasons)


def test_the_archive_is_that_of_the_locked_file() -> None:
    assert any(reason.startswith("from the archive pypi: torch 2.") for reason in links()["PyTorch"].reasons)
    assert any("libcuda1" in reason for reason in links()["NVIDIA driver"].reasons)


def test_a_stack_without_gpu_software_has_a_kernel_alone() -> None:
    smoke = load("smoke")
    assert [link.name for link in chain(smoke, read(smoke.lock_path))] == ["Linux kernel"]
