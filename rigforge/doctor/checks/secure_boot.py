"""Secure Boot, and whether the firmware trusts the key that the driver's module is signed with."""

from __future__ import annotations

from collections.abc import Iterator

from rigforge.doctor.check import Check, Topic
from rigforge.doctor.machine import Machine
from rigforge.rules.secure_boot import VARIABLE, is_on

STATE = Topic("secure-boot", "With Secure Boot on, the kernel loads only modules signed with a key that it trusts.")
ENROLLED = Topic("module-key", "A module whose key is not enrolled does not load, and CUDA finds no GPU.")

KEY = "/usr/share/rigforge/mok.der"


def checks(machine: Machine) -> Iterator[Check]:
    if machine.container:
        yield from (topic.not_applicable("the host's, in a container") for topic in (STATE, ENROLLED))
        return
    if not (machine.root / "sys/firmware/efi").is_dir():
        yield STATE.ok("off (the machine was started by BIOS)")
        yield ENROLLED.not_applicable("Secure Boot is off")
        return
    on = switched_on(machine)
    yield STATE.ok("on" if on else "off")
    yield ENROLLED.of(lambda: _enrolled(machine)) if on else ENROLLED.not_applicable("Secure Boot is off")


def switched_on(machine: Machine) -> bool:
    """Tells whether the firmware checks signatures; without UEFI it does not."""
    return is_on(machine.root / VARIABLE)


def _enrolled(machine: Machine) -> Check:
    signer = machine.ask("modinfo", "--field", "signer", "nvidia")
    if not signer or signer.code:
        return ENROLLED.not_applicable("this kernel has no NVIDIA module")
    if not signer.output:
        return ENROLLED.failed(
            "the module is not signed",
            "switch Secure Boot off in the firmware's setup, or build the image with [secure_boot] key and certificate",
        )
    trusted = machine.text("proc/keys")
    if (machine.root / "proc/driver/nvidia/version").exists():
        return ENROLLED.ok(f"signed by {signer.output}, and loaded")
    if signer.output in trusted:
        return ENROLLED.ok(f"signed by {signer.output}, which is enrolled")
    return ENROLLED.failed(
        f"signed by {signer.output}, which is not enrolled",
        "sudo mokutil --import KEY.der && sudo reboot, then choose Enroll MOK on the blue screen",
    )
