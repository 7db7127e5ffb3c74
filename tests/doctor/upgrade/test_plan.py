"""What `upgrade --plan` says of the pair that an archive offers, with real apt and dpkg (a second each)."""

from __future__ import annotations

import pytest

from tests.doctor.upgrade import debian_box, ubuntu_box
from tests.doctor.upgrade.box import Box
from tests.doctor.upgrade.debian_box import DRIVER, KERNEL, KERNEL_VERSION, NEXT, NEXT_DRIVER, NEXT_VERSION

Capture = pytest.CaptureFixture[str]


def test_without_lists_it_says_that_it_cannot_know(debian: Box, capsys: Capture) -> None:
    code, plan = debian.plan(capsys)
    assert (code, plan["status"], plan["offered"]) == (1, "unknown", None)
    assert plan["message"].endswith("sudo rigforge-doctor upgrade --plan --refresh")
    assert plan["installed"] == {"kernel": KERNEL, "kernel_version": KERNEL_VERSION, "driver": DRIVER}


def test_refresh_fetches_the_lists(debian: Box, capsys: Capture) -> None:
    debian_box.kernel(debian.archive, "stable", NEXT, NEXT_VERSION)
    debian_box.driver(debian.archive, "stable", DRIVER)
    debian.publish()
    for file in (debian.root / "var/lib/apt/lists").glob("*Packages*"):
        file.unlink()
    assert debian.plan(capsys)[1]["status"] == "unknown"
    assert debian.plan(capsys, "--refresh")[1]["status"] == "ready"


def test_nothing_newer(debian: Box, capsys: Capture) -> None:
    debian_box.kernel(debian.archive, "stable", KERNEL, KERNEL_VERSION)
    debian_box.driver(debian.archive, "stable", DRIVER)
    debian.publish()
    code, plan = debian.plan(capsys)
    assert (code, plan["status"], plan["packages"]) == (0, "nothing", [])


def test_an_older_archive_is_no_upgrade(debian: Box, capsys: Capture) -> None:
    debian_box.kernel(debian.archive, "stable", "6.1.0-44-amd64", "6.1.164-1")
    debian_box.driver(debian.archive, "stable", "535.247.01")
    debian.publish()
    assert debian.plan(capsys)[1]["status"] == "nothing"


def test_a_security_update_of_the_kernel_keeps_the_driver(debian: Box, capsys: Capture) -> None:
    debian_box.kernel(debian.archive, "stable", NEXT, NEXT_VERSION)
    debian_box.driver(debian.archive, "stable", DRIVER)
    debian.publish()
    before = debian.state()
    code, plan = debian.plan(capsys)
    assert (code, plan["status"], plan["why_not"]) == (0, "ready", [])
    assert plan["offered"] == {"kernel": NEXT, "kernel_version": NEXT_VERSION, "driver": DRIVER}
    assert plan["compiled"] == [NEXT]
    changed = {change["name"]: (change["was"], change["now"]) for change in plan["packages"]}
    assert changed["linux-image-amd64"] == (KERNEL_VERSION, NEXT_VERSION)
    assert {name for name, (was, _) in changed.items() if not was} == {
        *(f"linux-image-{NEXT}", f"linux-headers-{NEXT}", "nvidia-kernel-dkms"),
        *("dkms", "gcc-12", "linux-compiler-gcc-12-x86"),
    }
    assert plan["download"] > 0
    assert debian.state() == before


def test_a_kernel_that_keeps_its_name_takes_the_place_of_the_present_one(debian: Box, capsys: Capture) -> None:
    debian_box.kernel(debian.archive, "stable", KERNEL, "6.1.176-2")
    debian_box.driver(debian.archive, "stable", DRIVER)
    debian.publish()
    _, plan = debian.plan(capsys)
    assert plan["status"] == "ready"
    assert {"name": f"nvidia-modules-{KERNEL}", "was": DRIVER, "now": ""} in plan["packages"]
    assert "the kernel keeps its name" in plan["notes"][0]


def test_a_driver_without_the_source_of_its_module_is_no_pair(debian: Box, capsys: Capture) -> None:
    debian_box.kernel(debian.archive, "stable", NEXT, NEXT_VERSION)
    debian_box.driver(debian.archive, "stable", NEXT_DRIVER, dkms=False)
    debian.publish()
    code, plan = debian.plan(capsys)
    assert (code, plan["status"]) == (1, "apart")
    assert f"nvidia-kernel-dkms is not offered in version {NEXT_DRIVER}" in plan["why_not"][0]


def test_a_kernel_without_headers_is_no_pair(debian: Box, capsys: Capture) -> None:
    debian_box.kernel(debian.archive, "stable", NEXT, NEXT_VERSION, headers=False)
    debian_box.driver(debian.archive, "stable", DRIVER)
    debian.publish()
    code, plan = debian.plan(capsys)
    assert (code, plan["status"]) == (1, "apart")
    assert f"linux-headers-{NEXT} is not offered" in plan["why_not"][0]
    assert debian.upgrade("--apply") == 1


def test_the_present_kernel_must_get_a_module_of_the_new_driver(debian: Box, capsys: Capture) -> None:
    debian_box.kernel(debian.archive, "stable", NEXT, NEXT_VERSION)
    debian_box.driver(debian.archive, "stable", NEXT_DRIVER)
    debian.publish()
    code, plan = debian.plan(capsys)
    assert (code, plan["status"]) == (1, "apart")
    assert f"linux-headers-{KERNEL} is not offered in version {KERNEL_VERSION}" in plan["why_not"][0]
    assert "--without-fallback" in plan["why_not"][0]
    code, plan = debian.plan(capsys, "--without-fallback")
    assert (code, plan["status"], plan["compiled"]) == (0, "ready", [NEXT])


def test_secure_boot_blocks_what_is_compiled_without_a_key_that_is_enrolled(debian: Box, capsys: Capture) -> None:
    debian_box.kernel(debian.archive, "stable", NEXT, NEXT_VERSION)
    debian_box.driver(debian.archive, "stable", DRIVER)
    debian.publish()
    variable = debian.root / "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
    variable.parent.mkdir(parents=True)
    variable.write_bytes(b"\x06\0\0\0\x01")
    assert "the driver would be blocked" in debian.plan(capsys)[1]["why_not"][0]
    debian.write("etc/dkms/framework.conf", 'mok_certificate="/root/mok.der"\n')
    debian.write("root/mok.der", "")
    debian.write("usr/sbin/mokutil", "#!/bin/sh\necho $2 is already enrolled\n")
    (debian.root / "usr/sbin/mokutil").chmod(0o755)
    assert debian.plan(capsys)[1]["status"] == "ready"


def test_a_driver_that_no_longer_drives_the_card_is_not_taken(debian: Box, capsys: Capture) -> None:
    """A GTX 1080 has its last driver in branch 580."""
    debian_box.kernel(debian.archive, "stable", NEXT, NEXT_VERSION)
    debian_box.driver(debian.archive, "stable", "595.91.07")
    debian.publish()
    for name, text in {"vendor": "0x10de", "class": "0x030000", "device": "0x1b80"}.items():
        debian.write(f"sys/bus/pci/devices/0000:01:00.0/{name}", f"{text}\n")
    _, plan = debian.plan(capsys, "--without-fallback")
    assert any("driver 595 does not drive" in why for why in plan["why_not"])


def test_ubuntus_kernel_waits_for_its_module(ubuntu: Box, capsys: Capture) -> None:
    ubuntu_box.kernel(ubuntu.archive, "stable", 90)
    ubuntu_box.driver(ubuntu.archive, "stable", ubuntu_box.DRIVER)
    ubuntu.publish()
    code, plan = ubuntu.plan(capsys)
    assert (code, plan["status"]) == (1, "apart")
    assert plan["why_not"] == [f"kernel {ubuntu_box.name(90)} is offered, but no module of 580-server-open for it yet"]


def test_ubuntus_newest_kernel_with_a_module_is_taken(ubuntu: Box, capsys: Capture) -> None:
    for abi in (90, 91):
        ubuntu_box.kernel(ubuntu.archive, "stable", abi)
    ubuntu_box.module(ubuntu.archive, "stable", 90, ubuntu_box.DRIVER)
    ubuntu_box.driver(ubuntu.archive, "stable", ubuntu_box.DRIVER)
    ubuntu.publish()
    code, plan = ubuntu.plan(capsys)
    assert (code, plan["status"], plan["offered"]["kernel"]) == (0, "ready", ubuntu_box.name(90))
    assert plan["compiled"] == []
    assert ubuntu_box.name(91) in plan["notes"][0]


def test_ubuntus_module_and_user_space_must_be_of_one_version(ubuntu: Box, capsys: Capture) -> None:
    ubuntu_box.kernel(ubuntu.archive, "stable", 90)
    ubuntu_box.module(ubuntu.archive, "stable", 90, ubuntu_box.NEXT_DRIVER)
    ubuntu_box.driver(ubuntu.archive, "stable", "580.126.09")
    ubuntu.publish()
    code, plan = ubuntu.plan(capsys)
    assert (code, plan["status"]) == (1, "apart")
    assert f"is of driver {ubuntu_box.NEXT_DRIVER}" in plan["why_not"][0]


def test_ubuntus_branch_that_has_ended_is_told_with_the_one_that_it_leads_to(ubuntu: Box, capsys: Capture) -> None:
    ubuntu_box.ended(ubuntu.archive, "stable", "595-server")
    ubuntu.publish()
    code, plan = ubuntu.plan(capsys)
    assert (code, plan["status"]) == (0, "nothing")
    assert "branch 580-server-open has ended, in the archive its packages lead to 595-server" in plan["notes"][0]
    ubuntu_box.kernel(ubuntu.archive, "stable", 90)
    ubuntu.publish()
    code, plan = ubuntu.plan(capsys)
    assert (code, plan["status"], plan["packages"]) == (1, "apart", [])
    assert plan["why_not"] == [
        "branch 580-server-open has ended, in the archive its packages lead to 595-server-open: "
        "that takes a new installation"
    ]


def test_a_machine_without_a_driver_has_no_pair(box: Box, capsys: Capture) -> None:
    box.old.add("old", "linux-image-6.1.0-50-amd64")
    box.run("dpkg", "--install", *(box.old.path / "pool/old/main").glob("*.deb"))
    code, plan = box.plan(capsys)
    assert (code, plan["status"]) == (1, "unknown")
    assert "no NVIDIA driver" in plan["message"]


def test_the_text_says_the_same(debian: Box, capsys: Capture) -> None:
    debian_box.kernel(debian.archive, "stable", NEXT, NEXT_VERSION)
    debian_box.driver(debian.archive, "stable", DRIVER)
    debian.publish()
    assert debian.upgrade("--plan") == 0
    text = capsys.readouterr().out
    assert f"kernel {NEXT} ({NEXT_VERSION}) with driver {DRIVER} is offered, and they belong together" in text
    assert f"compile the module for {NEXT}" in text
    assert "to do it: sudo rigforge-doctor upgrade --apply" in text
