"""What started the machine: firmware, boot loader, kernel."""

from __future__ import annotations

import pytest
from testinfra.host import Host

from rigforge.verify.expectations import Expectations

pytestmark = pytest.mark.needs("machine")

# The variable SecureBoot of the UEFI specification: four bytes of attributes, then 0 or 1.
SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


def secure_boot(host: Host) -> bool:
    read = host.run("od -An -tu1 -j4 -N1 %s", SECURE_BOOT)
    return bool(read.rc == 0 and read.stdout.strip() == "1")


def test_booted_by_the_firmware_it_was_installed_under(host: Host, expected: Expectations) -> None:
    assert host.file("/sys/firmware/efi").exists == (expected.firmware in ("uefi", "secureboot"))
    assert secure_boot(host) == (expected.firmware == "secureboot")


def test_kernel_is_locked_down_under_secure_boot_only(host: Host, expected: Expectations) -> None:
    with host.sudo():
        state = host.file("/sys/kernel/security/lockdown").content_string
    assert ("[none]" not in state) == (expected.firmware == "secureboot")


def test_kernel_is_the_locked_one_and_the_only_one(host: Host, expected: Expectations) -> None:
    assert host.check_output("uname -r") == expected.versions["kernel"]
    kernels = host.check_output("ls -1 /boot").splitlines()
    assert [name for name in kernels if name.startswith("vmlinuz-")] == [f"vmlinuz-{expected.versions['kernel']}"]


def test_boot_loader_is_there_for_the_firmware(host: Host, expected: Expectations) -> None:
    with host.sudo():
        if expected.firmware == "bios":
            assert host.file("/boot/grub/i386-pc/core.img").exists
        else:
            loaders = host.check_output("find /boot/efi/EFI -iname '*.efi' -printf '%f\n'").lower().split()
            assert [name for name in loaders if name.startswith("shim")]
            assert [name for name in loaders if name.startswith("grub")]


def test_boot_menu_starts_the_locked_kernel(host: Host, expected: Expectations) -> None:
    with host.sudo():
        menu = host.file("/boot/grub/grub.cfg").content_string
    assert f"vmlinuz-{expected.versions['kernel']}" in menu
    assert f"initrd.img-{expected.versions['kernel']}" in menu


def test_medium_can_tell_that_it_is_installed(host: Host, expected: Expectations) -> None:
    place = "/boot/rigforge" if expected.installer == "subiquity" else "/boot/efi/EFI/rigforge"
    with host.sudo():
        assert host.file(f"{place}/{expected.medium_id}").exists


def test_report_says_how_it_booted(host: Host, expected: Expectations) -> None:
    state = "on" if expected.firmware == "secureboot" else "off"
    report = host.file("/var/lib/rigforge/report").content_string
    assert f"kernel {expected.versions['kernel']}, Secure Boot {state}" in report.splitlines()
    assert ("NVIDIA" in report) == ("driver" in expected.versions)
