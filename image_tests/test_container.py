"""What a container has of its own: conventions, its description, and nothing that belongs to the host."""

from __future__ import annotations

import json

import pytest
from testinfra.host import Host

from rigforge.verify.expectations import Expectations

pytestmark = pytest.mark.needs("container")

ENTRYPOINT = "/usr/local/bin/rigforge-entrypoint"


def mounted(host: Host) -> set[str]:
    """Returns what the engine has mounted into the container; the fifth field of mountinfo, proc(5)."""
    return {line.split()[4] for line in host.file("/proc/self/mountinfo").content_string.splitlines()}


def files(host: Host, name: str) -> set[str]:
    return set(host.check_output("find / -xdev -name %s -not -path '/proc/*'", name).split())


def test_image_describes_itself(host: Host, expected: Expectations) -> None:
    manifest = json.loads(host.file("/etc/rigforge/manifest.json").content_string)
    assert (manifest["stack"], manifest["image"]) == (expected.stack, expected.image)
    assert tuple(manifest["layers"]) == tuple(sorted(expected.layers))
    assert manifest["versions"].items() <= dict(expected.versions).items()
    assert len(manifest["lock"]) == 64


def test_tini_is_the_init(host: Host) -> None:
    assert host.file("/proc/1/comm").content_string.strip() == "tini"


@pytest.mark.parametrize("name", ["vmlinuz-*", "nvidia*.ko*", "libcuda.so*", "libnvidia-ml.so*", "nvidia-smi"])
def test_image_holds_nothing_of_kernel_or_driver(host: Host, name: str) -> None:
    """What there is of a driver was put in when the container was started."""
    links = {path for path in files(host, name) if host.file(path).is_symlink}
    assert files(host, name) - links - mounted(host) == set()


def test_locale_is_utf_8(host: Host) -> None:
    assert host.check_output("locale charmap") == "UTF-8"


def test_toolkit_is_asked_for_all_gpus(host: Host) -> None:
    environment = host.environment()
    assert environment["NVIDIA_VISIBLE_DEVICES"]
    assert environment["NVIDIA_DRIVER_CAPABILITIES"] == "compute,utility"


def test_libraries_are_found_without_a_search_path(host: Host) -> None:
    assert "LD_LIBRARY_PATH" not in host.environment()


@pytest.mark.needs("cuda")
def test_toolkit_is_told_which_drivers_will_do(host: Host, expected: Expectations) -> None:
    major = expected.versions["cuda"].split(".")[0]
    assert host.environment()["NVIDIA_REQUIRE_CUDA"] == f"cuda>={major}.0"


@pytest.mark.needs("cuda", "driver")
def test_first_libcuda_of_the_loader_is_the_hosts(host: Host) -> None:
    cache = host.check_output("/sbin/ldconfig -p").splitlines()
    first = next(line.split()[-1] for line in cache if line.split()[0] == "libcuda.so.1")
    assert first in mounted(host) or host.file(first).linked_to in mounted(host)


@pytest.mark.needs("cuda")
def test_cuda_libraries_miss_no_other(host: Host) -> None:
    """Libraries for networks between machines (RDMA, MPI) are for those who have these; libcuda is the host's."""
    missing = host.run(
        "find -L /usr/local/cuda/lib64 -name 'lib*.so.*' -not -name '*rdma*' -not -name 'nvshmem_*' "
        "-exec ldd {} + | grep 'not found' | grep -v 'libcuda.so.1 ' | sort -u"
    )
    assert missing.stdout == ""


@pytest.mark.needs("python", "pytorch")
def test_pytorch_misses_no_library(host: Host, expected: Expectations) -> None:
    libraries = f"{expected.env}/lib/python*/site-packages/torch/lib/*.so"
    missing = host.run(f"ldd {libraries} | grep 'not found' | grep -v 'libcuda.so.1 ' | sort -u")
    assert missing.stdout == ""


def test_anybody_can_write_to_the_workspace(host: Host) -> None:
    assert host.file("/workspace").mode == 0o1777


@pytest.mark.needs("devel")
def test_developer_is_no_root_but_can_be(host: Host) -> None:
    assert host.user("dev").uid == 1000
    assert host.check_output("su dev -c 'sudo -n id -u'") == "0"


@pytest.mark.needs("cuda")
def test_entrypoint_says_in_one_line_what_is_wrong_with_the_gpu(host: Host, expected: Expectations) -> None:
    said = host.run(f"{ENTRYPOINT} true")
    assert said.rc == 0
    if expected.gpu:
        assert said.stderr == ""
    else:
        assert said.stderr.count("\n") == 1
        assert said.stderr.startswith("rigforge: ")


@pytest.mark.needs("cuda")
def test_entrypoint_stops_there_when_it_is_asked_to(host: Host, expected: Expectations) -> None:
    said = host.run(f"RIGFORGE_GPU_CHECK=strict {ENTRYPOINT} true")
    assert (said.rc == 0) == (expected.gpu)
