"""Obstacles to a pair that the archives do have: Secure Boot, and the tables of what runs with what."""

from __future__ import annotations

import re
from dataclasses import replace

from rigforge.doctor.checks import compatibility, secure_boot
from rigforge.doctor.machine import Machine

#: Where DKMS has its own key, which it makes itself (dkms(8), framework.conf).
_CERTIFICATE = "/var/lib/dkms/mok.pub"


def unsigned(machine: Machine) -> str:
    """Returns why the kernel would block a module that is compiled here; empty where it would not."""
    if not secure_boot.switched_on(machine):
        return ""
    settings = [
        machine.root / "etc/dkms/framework.conf",
        *sorted(machine.root.glob("etc/dkms/framework.conf.d/*.conf")),
    ]
    certificates = [
        line["file"]
        for file in settings
        for line in re.finditer(
            r"^\s*mok_certificate=[\"']?(?P<file>[^\"'\s]+)", machine.text(str(file.relative_to(machine.root))), re.M
        )
    ]
    certificate = certificates[-1] if certificates else _CERTIFICATE
    answer = machine.ask("mokutil", "--test-key", certificate)
    if answer and "already enrolled" in f"{answer.output} {answer.complaint}":
        return ""
    unseen = "" if machine.superuser else ", as far as that can be read without sudo"
    return (
        "Secure Boot is on, and the firmware does not trust the key that DKMS would sign the module with "
        f"({certificate}{unseen}): the driver would be blocked. Name your own key in /etc/dkms/framework.conf "
        f"(mok_signing_key, mok_certificate), or enrol that one: sudo mokutil --import {certificate}"
    )


def misfits(machine: Machine, before: str, driver: str) -> tuple[str, ...]:
    """Returns what of cards, CUDA and PyTorch does not go with a driver, though it does with the one before."""
    from rigforge.compat import inventory
    from rigforge.compat.diagnosis import diagnose

    parts = inventory.read(machine.root, compatibility.python(machine))
    kind = parts.loaded.module if parts.loaded else "proprietary"

    def failures(version: str) -> list[str]:
        loaded = replace(parts, loaded=inventory.Loaded(version, kind), user_space=version, nouveau=False)
        return [finding.message for finding in diagnose(loaded) if finding.status == "failed"]

    failures_before = failures(before)
    return tuple(message for message in failures(driver) if message not in failures_before)
