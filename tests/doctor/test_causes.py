"""One cause, one cure: what follows from another finding says so, and a cure is one for the place where it is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import machines
import pytest
from machines import KERNEL, Examine, program, write

from rigforge.doctor.causes import FOLLOWS, traced
from rigforge.doctor.check import Check
from rigforge.doctor.checks import SUBJECTS
from rigforge.doctor.surroundings import fitted


def check(name: str, status: str = "failed", measured: str = "", cause: str = "") -> Check:
    return Check(name, status, measured, "why", f"mend {name}", cause)  # type: ignore[arg-type]


def test_what_follows_names_its_cause_and_has_no_cure() -> None:
    build, module, bus = traced([check("driver-build"), check("driver-module"), check("gpu-bus")])
    assert (build.fix, build.cause) == ("mend driver-build", "")
    assert (module.fix, module.cause) == (bus.fix, bus.cause) == ("", "driver-build")
    assert bus.measured.endswith("(follows from driver-build)")


def test_a_consequence_is_no_worse_than_its_cause() -> None:
    _, bus = traced([check("card-driver", "warning"), check("gpu-bus")])
    assert bus.status == "warning"


@pytest.mark.parametrize("cause", [check("gpu-xid", "warning"), check("driver-module", "ok"), check("memory")])
def test_what_is_no_cause_leaves_the_cure(cause: Check) -> None:
    assert traced([cause, check("gpu-bus")])[1].fix == "mend gpu-bus"


def test_a_fault_of_one_card_is_no_cause_for_another() -> None:
    fault = check("gpu-xid", measured="0000:01:00: Xid 79")
    assert traced([fault, check("gpu-bus", measured="0000:02:00.0 is lost")])[1].fix
    assert not traced([fault, check("gpu-bus", measured="0000:01:00.0 is lost")])[1].fix


def test_a_cause_that_a_check_names_itself_counts_only_in_trouble() -> None:
    assert traced([check("nouveau", "ok"), check("compatibility", cause="nouveau")])[1].fix == "mend compatibility"
    assert not traced([check("nouveau"), check("compatibility", cause="nouveau")])[1].fix


def test_no_two_checks_follow_from_each_other() -> None:
    def reached(name: str, seen: tuple[str, ...] = ()) -> set[str]:
        assert name not in seen, seen
        return {name}.union(*(reached(each, (*seen, name)) for each in FOLLOWS.get(name, {})))

    assert all(reached(name) for name in FOLLOWS)
    assert SUBJECTS


#: What is wrong with a machine, what the one cure is of, and what must not be advised.
NVIDIA_SMI = "sudo nvidia-smi"


def unloaded(root: Path) -> None:
    (root / "proc/driver/nvidia/version").unlink()


def nouveau(root: Path) -> None:
    unloaded(root)
    (root / "sys/module/nouveau").mkdir(parents=True)
    (root / "sys/bus/pci/devices/0000:01:00.0/driver").symlink_to("/sys/bus/pci/drivers/nouveau")


def without_room(root: Path) -> None:
    unloaded(root)
    program(root, "dmesg", "echo 'Linux version 6.1'; echo 'NVRM: BAR1 is 0M @ 0x0 (PCI:0000:01:00.0)'")


def not_built(root: Path) -> None:
    unloaded(root)
    write(root / f"lib/modules/{KERNEL}/modules.dep", "kernel/fs/ext4.ko:\n")
    log = (
        f"DKMS make.log for nvidia-580.95.05 for kernel {KERNEL} (x86_64)\nnv.c:1:2: error: implicit declaration of x\n"
    )
    write(root / "var/lib/dkms/nvidia/580.95.05/build/make.log", log)


def not_installed(root: Path) -> None:
    unloaded(root)
    write(root / f"lib/modules/{KERNEL}/modules.dep", "kernel/fs/ext4.ko:\n")
    for library in (root / "usr/lib/x86_64-linux-gnu").glob("libcuda*"):
        library.unlink()


def refused(root: Path) -> None:
    unloaded(root)
    variable = root / "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
    write(variable, "\x06\x00\x00\x00\x01")
    program(root, "modinfo", "echo MOK")
    program(root, "dmesg", "echo 'Linux version 6.1'; echo 'Loading of module with unavailable key is rejected'")


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        (unloaded, "driver-module"),
        (nouveau, "nouveau"),
        (without_room, "driver-start"),
        (not_built, "driver-build"),
        (not_installed, "compatibility"),
        (refused, "module-key"),
    ],
)
def test_a_card_without_its_driver_has_one_cure(
    examine: Examine, healthy: Callable[[int], str], root: Path, wrong: Callable[[Path], None], cause: str
) -> None:
    healthy(1)
    packages = {"torch": "2.14.1", "nvidia-cuda-runtime": "13.0.96", "nvidia-cudnn-cu13": "9.24.0.43"}
    answer = json.dumps({"python": "3.12", "packages": packages, "cuda": "13.0"})
    write(root / "opt/rigforge/python/bin/python3", f"#!/bin/sh\necho '{answer}'\n", 0o755)
    wrong(root)
    found = examine(machines.answers(0) + "init !9\n")["checks"]
    cures = {name: check["fix"] for name, check in found.items() if check["fix"]}
    assert {*cures} == {cause}, cures
    assert {found[name]["cause"] for name in ("gpu-bus",)} == {cause}
    assert "seat" not in str(cures)
    assert ("install driver" in str(cures)) == (cause == "compatibility")


@pytest.mark.parametrize("holder", ["vfio-pci", "pci-stub"])
def test_a_card_that_is_kept_for_a_virtual_machine(examine: Examine, root: Path, holder: str) -> None:
    machines.machine(root, 2)
    (root / "sys/bus/pci/devices/0000:02:00.0/driver").symlink_to(f"/sys/bus/pci/drivers/{holder}")
    found = examine(machines.answers(1))["checks"]
    assert found["gpu-bus"]["status"] == "ok"
    assert (found["card-driver"]["status"], holder in found["card-driver"]["measured"]) == ("warning", True)


@pytest.mark.parametrize("had", [{}, {0: "nvidia"}, {0: "nvidia", 1: "nouveau"}])
def test_nouveau_beside_a_driver_that_works(examine: Examine, root: Path, had: dict[int, str]) -> None:
    machines.machine(root, 2)
    (root / "sys/module/nouveau").mkdir(parents=True)
    for index, driver in had.items():
        (root / "sys/bus/pci/devices" / machines.address(index) / "driver").symlink_to(f"/sys/bus/pci/drivers/{driver}")
    found = examine(machines.answers(1 if 1 in had else 2))["checks"]
    assert {found[name]["status"] for name in ("nouveau", "gpu-bus")} == {"ok"}
    assert "nouveau" not in found["compatibility"]["measured"]


MODULE = check("driver-module")


@pytest.mark.parametrize(
    ("where", "finding", "cure"),
    [
        ("machine", MODULE, "mend driver-module"),
        ("container", MODULE, "on the host: mend driver-module"),
        ("container", check("memory"), "mend memory"),
        ("wsl", MODULE, "wsl --shutdown"),
        ("wsl", check("gpu-temperature"), "in Windows: mend"),
        ("live", check("nouveau"), "modprobe.blacklist=nouveau"),
        ("live", Check("x", "failed", "", "", "sudo apt-get install y"), "in this live session, until it ends"),
    ],
)
def test_a_cure_fits_the_place(where: str, finding: Check, cure: str) -> None:
    assert cure in fitted([finding], where)[0].fix  # type: ignore[arg-type]


def test_in_wsl_clock_and_firewall_are_of_windows(examine: Examine, healthy: Callable[[int], str], root: Path) -> None:
    told = healthy(0)
    write(root / "proc/sys/kernel/osrelease", "5.15.167.4-microsoft-standard-WSL2\n")
    program(root, "systemctl", "echo inactive; exit 3")
    program(root, "timedatectl", "echo no")
    answer = examine(told)
    assert answer["verdict"] == "ok", [check for check in answer["checks"].values() if check["fix"]]
    write(root / "usr/lib/wsl/lib/libcuda.so.1", "")
    assert examine(told)["checks"]["gpu-bus"]["status"] == "n/a"
    found = examine(told + "init !9\n")["checks"]["gpu-bus"]
    assert (found["status"], "in Windows" in found["fix"]) == ("failed", True), found


@pytest.mark.parametrize(
    ("error", "means"),
    [
        ("nv-dma.c:84:5: error: implicit declaration of function 'dma_is_direct'", "too old for kernel"),
        ("nvidia-drm.c:9:1: error: 'struct drm_driver' has no member named 'date'", "too old for kernel"),
        ("gcc: error: unrecognized command-line option '-ftrivial-auto-var-init=zero'", "compiler is another"),
        ("ERROR: modpost: GPL-incompatible module nvidia.ko uses GPL-only symbol 'x'", "under the GPL"),
        ("Error! Your kernel headers for kernel 6.1.0-56-amd64 cannot be found.", "headers are missing"),
        ("fatal error: error writing to /tmp/ccX.s: No space left on device", "the disk is full"),
        ("make[1]: *** [Makefile:9: modules] Error 2", "for a reason that"),
    ],
)
def test_why_dkms_could_not_build(
    examine: Examine, healthy: Callable[[int], str], root: Path, error: str, means: str
) -> None:
    told = healthy(1)
    write(root / f"lib/modules/{KERNEL}/modules.dep", "kernel/fs/ext4.ko:\n")
    log = f"DKMS make.log for nvidia-580.95.05 for kernel {KERNEL} (x86_64)\nMon Nov 30\nmake: Entering\n{error}\n"
    write(root / "var/lib/dkms/nvidia/580.95.05/build/make.log", log)
    found = examine(told)["checks"]["driver-build"]
    assert (found["status"], means in found["measured"], error[:40] in found["measured"]) == ("failed", True, True), (
        found
    )


def test_a_log_of_a_kernel_that_has_its_module_is_past(
    examine: Examine, healthy: Callable[[int], str], root: Path
) -> None:
    told = healthy(1)
    log = f"DKMS make.log for nvidia-580.95.05 for kernel {KERNEL} (x86_64)\nx.c:1:2: error: no\n"
    write(root / "var/lib/dkms/nvidia/580.95.05/build/make.log", log)
    assert examine(told)["checks"]["driver-build"]["status"] == "ok"
