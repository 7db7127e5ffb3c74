"""The NVIDIA kernel module against the kernel, and against the driver's user space."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from debian.deb822 import Deb822
from testinfra.host import Host

from rigforge.verify.expectations import Expectations

pytestmark = pytest.mark.needs("machine", "driver")


@pytest.fixture(scope="module")
def module(host: Host, expected: Expectations) -> str:
    """Path of the module; Debian calls it nvidia-current, others nvidia."""
    folder = f"/lib/modules/{expected.versions['kernel']}"
    files = host.check_output("find %s -name 'nvidia*.ko*'", folder).split()
    found = [file for file in files if re.search(r"/nvidia(-current)?\.ko(\.\w+)?$", file)]
    assert len(found) == 1, f"not exactly one NVIDIA module: {files}"
    return str(found[0])


def modinfo(host: Host, module: str, field: str) -> str:
    return str(host.check_output("/usr/sbin/modinfo -F %s %s", field, module))


def test_module_is_of_the_locked_version(host: Host, module: str, expected: Expectations) -> None:
    assert modinfo(host, module, "version") == expected.versions["driver"]


def test_module_was_built_for_the_kernel(host: Host, module: str, expected: Expectations) -> None:
    assert modinfo(host, module, "vermagic").split()[0] == expected.versions["kernel"]


def test_user_space_is_of_the_modules_version(
    host: Host, module: str, probe: Callable[[str], Any], expected: Expectations
) -> None:
    version = modinfo(host, module, "version")
    assert probe("cuda")["library"].endswith(f".so.{version}")
    package = next((name for name in expected.debs if name.startswith("nvidia-utils-")), "nvidia-smi")
    smi = host.check_output("dpkg-query --show --showformat='${Version}' %s", package)
    assert re.match(rf"(\d+:)?{re.escape(version)}\b", smi)


def test_module_is_signed_where_a_key_is_configured(host: Host, module: str, expected: Expectations) -> None:
    assert bool(modinfo(host, module, "signer")) == expected.module_signed


@pytest.mark.needs("subiquity")
def test_module_is_signed_by_canonical(host: Host, module: str) -> None:
    assert "Canonical" in modinfo(host, module, "signer")


def test_module_loads_as_far_as_the_hardware_lets_it(host: Host, has_gpu: bool, expected: Expectations) -> None:
    with host.sudo():
        loading = host.run("modprobe nvidia")
    if expected.firmware == "secureboot" and not expected.module_signed:
        assert loading.rc != 0
        assert re.search("Key was rejected|Required key not available|Operation not permitted", loading.stderr)
    elif has_gpu:
        assert loading.rc == 0
    else:
        assert "No such device" in loading.stderr


def test_report_says_what_became_of_the_driver(host: Host, has_gpu: bool, expected: Expectations) -> None:
    report = host.file("/var/lib/rigforge/report").content_string
    if expected.firmware == "secureboot" and not expected.module_signed:
        assert "BLOCKED BY SECURE BOOT" in report
    else:
        assert ("NVIDIA driver: loaded" if has_gpu else "NVIDIA driver: ready") in report


def test_kernel_and_driver_are_held_together(host: Host, module: str, expected: Expectations) -> None:
    """An upgrade of one without the other leaves a machine whose GPU is gone."""
    libraries = host.check_output("/sbin/ldconfig -p").splitlines()
    libcuda = next(line.split()[-1] for line in libraries if "libcuda.so.1 " in line)
    files = [host.check_output("readlink -f %s", libcuda), module]
    owners = {host.check_output("dpkg-query --search %s", file).split(":")[0] for file in files}
    pins = host.check_output("cat /etc/apt/preferences.d/rigforge-held")
    held = {stanza["Package"] for stanza in Deb822.iter_paragraphs(pins)}
    assert {f"linux-image-{expected.versions['kernel']}", *owners} <= held


def test_nouveau_stays_away(host: Host) -> None:
    assert host.run("lsmod | grep -w ^nouveau").rc != 0
    assert "blacklist nouveau" in host.check_output("/usr/sbin/modprobe --showconfig").splitlines()
