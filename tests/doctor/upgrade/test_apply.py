"""`upgrade --apply` and the way back, with real apt and dpkg (some seconds each)."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from rigforge.machine import pins
from tests.doctor.upgrade import debian_box, ubuntu_box
from tests.doctor.upgrade.box import Box
from tests.doctor.upgrade.debian_box import DRIVER, KERNEL, KERNEL_VERSION, NEXT, NEXT_DRIVER, NEXT_VERSION

Capture = pytest.CaptureFixture[str]

FAILING = {"DEBIAN/postinst": "#!/bin/sh\necho the disk is full >&2\nexit 1\n"}


def boots(box: Box, kernel: str, driver: str) -> None:
    """Looks whether the boot menu has a kernel, with initramfs and a module of the driver."""
    assert f"vmlinuz-{kernel}\n" in (box.root / "boot/grub/grub.cfg").read_text()
    assert (box.root / f"boot/initrd.img-{kernel}").is_file()
    assert box.module(kernel) == driver


def start(box: Box, kernel: str) -> None:
    box.write("proc/sys/kernel/osrelease", f"{kernel}\n")


@pytest.fixture
def security(debian: Box) -> Box:
    """A Debian machine for which a security update of the kernel is offered, and the driver that it has."""
    debian_box.kernel(debian.archive, "stable", NEXT, NEXT_VERSION)
    debian_box.driver(debian.archive, "stable", DRIVER)
    debian.publish()
    return debian


@pytest.fixture
def both(debian: Box) -> Box:
    """A Debian machine for which kernel and driver are offered; the archive has the present kernel's headers still."""
    makefile = {f"usr/src/linux-headers-{KERNEL}/Makefile": ""}
    debian.archive.add("stable", f"linux-headers-{KERNEL}", KERNEL_VERSION, files=makefile)
    debian_box.kernel(debian.archive, "stable", NEXT, NEXT_VERSION)
    debian_box.driver(debian.archive, "stable", NEXT_DRIVER)
    debian.publish()
    return debian


def test_a_security_update_of_the_kernel_there_and_back(security: Box, capsys: Capture) -> None:
    before, held = security.state(), security.held()
    assert security.upgrade("--apply") == 0
    boots(security, KERNEL, DRIVER)
    boots(security, NEXT, DRIVER)
    assert security.held() == held | {f"linux-image-{NEXT}", f"linux-headers-{NEXT}", "nvidia-kernel-dkms"}
    assert f"kernel {NEXT} starts with the next boot" in security.plan(capsys)[1]["notes"][0]
    assert security.upgrade("--back") == 0
    assert security.state() == before
    boots(security, KERNEL, DRIVER)
    assert security.upgrade("--back") == 2
    assert "there is nothing to go back to" in capsys.readouterr().err


def test_an_ordinary_upgrade_leaves_the_pair_alone(security: Box) -> None:
    assert "Inst" not in security.run("apt-get", "--simulate", "dist-upgrade")
    assert security.upgrade("--apply") == 0
    assert "Inst" not in security.run("apt-get", "--simulate", "dist-upgrade")


def test_what_somebody_holds_with_apt_mark_goes_on_too_and_is_held_by_us_then(security: Box) -> None:
    held = security.held()
    security.write(pins.FILE, "")
    security.run("apt-mark", "hold", *held)
    assert security.upgrade("--apply") == 0
    assert held < security.held()


def test_a_new_driver_is_compiled_for_both_kernels(both: Box) -> None:
    before = both.state()
    assert both.upgrade("--apply") == 0
    boots(both, KERNEL, NEXT_DRIVER)
    boots(both, NEXT, NEXT_DRIVER)
    assert f"nvidia-modules-{KERNEL}" not in both.held()
    assert both.upgrade("--back") == 0
    # Our module's package is in no archive: it was packed again from what was installed.
    boots(both, KERNEL, DRIVER)
    assert both.state() == before


def test_a_new_driver_for_the_same_kernel_there_and_back(both: Box, capsys: Capture) -> None:
    """As on a machine whose kernel is the archive's already."""
    assert both.upgrade("--apply") == 0
    start(both, NEXT)
    before = both.state()
    debian_box.driver(both.archive, "stable", "535.400.01")
    both.publish()
    assert both.plan(capsys)[1]["compiled"] == [NEXT]
    assert both.upgrade("--apply") == 0
    boots(both, NEXT, "535.400.01")
    assert both.upgrade("--back") == 0
    boots(both, NEXT, NEXT_DRIVER)
    assert both.state()["packages"] == before["packages"]


def test_without_fallback_the_way_back_still_has_everything(debian: Box) -> None:
    debian_box.kernel(debian.archive, "stable", NEXT, NEXT_VERSION)
    debian_box.driver(debian.archive, "stable", NEXT_DRIVER)
    debian.publish()
    before = debian.state()
    assert debian.upgrade("--apply") == 1
    assert debian.upgrade("--apply", "--without-fallback") == 0
    boots(debian, NEXT, NEXT_DRIVER)
    assert debian.upgrade("--back") == 0
    assert debian.state() == before


def test_a_kernel_that_keeps_its_name_there_and_back(debian: Box) -> None:
    debian_box.kernel(debian.archive, "stable", KERNEL, "6.1.176-2")
    debian_box.driver(debian.archive, "stable", DRIVER)
    debian.publish()
    before = debian.state()
    assert debian.upgrade("--apply") == 0
    assert (debian.root / f"boot/vmlinuz-{KERNEL}").read_text() == "6.1.176-2"
    boots(debian, KERNEL, DRIVER)
    assert debian.upgrade("--back") == 0
    assert (debian.root / f"boot/vmlinuz-{KERNEL}").read_text() == KERNEL_VERSION
    assert debian.state() == before


def test_a_package_that_fails_in_the_middle_changes_nothing(both: Box, capsys: Capture) -> None:
    version = f"{NEXT_DRIVER}-0+deb12u1"
    both.archive.add("stable", "nvidia-smi", version, files=FAILING, Source="nvidia-graphics-drivers")
    both.publish()
    before = both.state()
    assert both.upgrade("--apply") == 2
    told = capsys.readouterr()
    assert "the disk is full" in both.machine.text("var/lib/rigforge/upgrade/log")
    assert told.err.rstrip().endswith("the previous packages are back, nothing has changed")
    assert "Traceback" not in told.err + told.out
    assert both.state() == before
    boots(both, KERNEL, DRIVER)


def test_a_module_that_does_not_compile_changes_nothing(security: Box, capsys: Capture) -> None:
    security.write("usr/sbin/dkms", "#!/bin/sh\necho 'nv.c:3: error: too few arguments' >&2\nexit 10\n")
    before = security.state()
    assert security.upgrade("--apply") == 2
    assert "too few arguments" in capsys.readouterr().err
    assert security.state() == before


def test_a_module_for_another_kernel_is_found_out(security: Box, capsys: Capture) -> None:
    dkms = security.root / "usr/sbin/dkms"
    dkms.write_text(dkms.read_text().replace("vermagic=%s", "vermagic=not-%s"))
    before = security.state()
    assert security.upgrade("--apply") == 2
    assert f"is for kernel not-{NEXT}, not for {NEXT}" in capsys.readouterr().err
    assert security.state() == before


def test_the_previous_kernel_must_not_lose_its_module(security: Box, capsys: Capture) -> None:
    version = f"{DRIVER}-0+deb12u1"
    careless = {
        f"usr/src/nvidia-current-{DRIVER}/dkms.conf": "",
        "DEBIAN/postinst": f'#!/bin/sh\nrm -r "$DPKG_ROOT/lib/modules/{KERNEL}/updates" && depmod -a {KERNEL}\n',
    }
    security.archive.add("stable", "nvidia-kernel-dkms", version, files=careless, Depends="dkms")
    security.publish()
    assert security.upgrade("--apply") == 2
    assert f"kernel {KERNEL} has lost its module; the previous packages are back" in capsys.readouterr().err
    boots(security, KERNEL, DRIVER)


def test_a_boot_menu_without_kernels_is_told_until_it_has_them(security: Box, capsys: Capture) -> None:
    """As grub-mkconfig makes it where it does not know what the root lies on."""
    tool = security.root / "usr/sbin/update-grub"
    works = tool.read_text()
    tool.write_text('#!/bin/sh\n: > "$DPKG_ROOT/boot/grub/grub.cfg"\n')
    held = security.held()
    assert security.upgrade("--apply") == 2
    told = capsys.readouterr().err
    assert f"the way back failed as well: kernel {KERNEL} is not in the boot menu" in told
    assert security.held() == held
    assert security.plan(capsys)[1]["status"] == "unfinished"
    tool.write_text(works)
    assert security.upgrade("--back") == 0
    boots(security, KERNEL, DRIVER)


def test_an_archive_that_is_gone_changes_nothing(security: Box, capsys: Capture) -> None:
    for deb in (security.archive.path / "pool").rglob("nvidia-kernel-dkms*.deb"):
        deb.unlink()
    before = security.state()
    assert security.upgrade("--apply") == 2
    assert "apt-get" in capsys.readouterr().err
    assert security.state() == before
    assert security.plan(capsys)[1]["status"] == "ready"


def test_what_was_cut_off_is_put_back(security: Box, capsys: Capture) -> None:
    """As by a power cut: the process is gone, and dpkg stands in the middle."""
    before = security.state()
    security.write("usr/sbin/dkms", "#!/bin/sh\ntouch $DPKG_ROOT/compiling\nsleep 600\n")
    (security.root / "usr/sbin/dkms").chmod(0o755)
    program = "import sys; from pathlib import Path; from rigforge.doctor.nvml import Nvml\n"
    program += "from rigforge.doctor import upgrade; from rigforge.doctor.machine import Machine\n"
    program += "import json; upgrade.main(['--apply'], Machine(Nvml(), Path(sys.argv[1]), *json.loads(sys.argv[2])))"
    words = json.dumps([security.machine.path, *[dict(security.machine.environment)] * 2])
    process = subprocess.Popen([sys.executable, "-c", program, str(security.root), words], stdout=subprocess.PIPE)
    while not (security.root / "compiling").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.communicate()
    code, plan = security.plan(capsys)
    assert (code, plan["status"]) == (1, "unfinished")
    assert security.upgrade("--apply") == 1
    assert security.upgrade("--back") == 0
    assert {**security.state(), "usr/sbin/dkms": ""} == {**before, "usr/sbin/dkms": ""}


def test_the_running_kernel_is_not_taken_away(security: Box, capsys: Capture) -> None:
    assert security.upgrade("--apply") == 0
    menu = f"submenu 'Advanced' $o 'gnulinux-advanced-1' {{\nmenuentry 'x' $o 'gnulinux-{KERNEL}-advanced-1' {{\n"
    security.write("boot/grub/grub.cfg", menu)
    start(security, NEXT)
    before = security.state()
    assert security.upgrade("--back") == 2
    once = f"sudo grub-reboot 'gnulinux-advanced-1>gnulinux-{KERNEL}-advanced-1' && sudo reboot"
    assert once in capsys.readouterr().err
    assert security.state() == before


def test_ubuntus_kernel_with_its_module_there_and_back(ubuntu: Box) -> None:
    ubuntu_box.kernel(ubuntu.archive, "stable", 90)
    ubuntu_box.module(ubuntu.archive, "stable", 90, ubuntu_box.DRIVER)
    ubuntu_box.driver(ubuntu.archive, "stable", ubuntu_box.DRIVER)
    ubuntu.publish()
    before, held = ubuntu.state(), ubuntu.held()
    assert ubuntu.upgrade("--apply") == 0
    boots(ubuntu, ubuntu_box.name(88), ubuntu_box.DRIVER)
    boots(ubuntu, ubuntu_box.name(90), ubuntu_box.DRIVER)
    assert held < ubuntu.held()
    assert ubuntu.upgrade("--back") == 0
    assert ubuntu.state() == before
    assert ubuntu.held() == held


def test_ubuntus_new_driver_has_modules_for_both_kernels(ubuntu: Box) -> None:
    ubuntu_box.kernel(ubuntu.archive, "stable", 90)
    ubuntu_box.module(ubuntu.archive, "stable", 88, ubuntu_box.NEXT_DRIVER, build=2, leads=False)
    ubuntu_box.module(ubuntu.archive, "stable", 90, ubuntu_box.NEXT_DRIVER)
    ubuntu_box.driver(ubuntu.archive, "stable", ubuntu_box.NEXT_DRIVER)
    ubuntu.publish()
    before = ubuntu.state()
    assert ubuntu.upgrade("--apply") == 0
    for abi in (88, 90):
        boots(ubuntu, ubuntu_box.name(abi), ubuntu_box.NEXT_DRIVER)
    assert ubuntu.upgrade("--back") == 0
    assert ubuntu.state() == before


def test_ubuntus_new_driver_without_a_module_for_the_present_kernel(ubuntu: Box, capsys: Capture) -> None:
    ubuntu_box.kernel(ubuntu.archive, "stable", 90)
    ubuntu_box.module(ubuntu.archive, "stable", 90, ubuntu_box.NEXT_DRIVER)
    ubuntu_box.driver(ubuntu.archive, "stable", ubuntu_box.NEXT_DRIVER)
    ubuntu.publish()
    before = ubuntu.state()
    assert "--without-fallback" in ubuntu.plan(capsys)[1]["why_not"][0]
    assert ubuntu.upgrade("--apply", "--without-fallback") == 0
    boots(ubuntu, ubuntu_box.name(90), ubuntu_box.NEXT_DRIVER)
    assert ubuntu.upgrade("--back") == 0
    assert ubuntu.state() == before
