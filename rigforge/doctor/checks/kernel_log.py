"""Errors of the GPUs: Xid lines of the kernel log, decoded, and the counters of ECC memory."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rigforge.doctor.check import Check, Topic
from rigforge.doctor.machine import Machine
from rigforge.doctor.nvml import Gpu

XID = Topic("gpu-xid", "The driver writes every GPU fault to the kernel log, hours before a training run dies of it.")
ECC = Topic("gpu-ecc", "Memory that miscounts makes wrong results before it makes crashes.")

#: "NVRM: Xid (PCI:0000:01:00): 79, pid=…, GPU has fallen off the bus."
_LINE = re.compile(r"NVRM: Xid \((?:PCI:)?(?P<address>[0-9a-fA-F:.]+)\): (?P<number>\d{1,5})(?!\d)", re.ASCII)


def checks(machine: Machine) -> Iterator[Check]:
    yield XID.of(lambda: _xid(machine))
    yield ECC.of(lambda: _ecc(machine.nvml.gpus))


#: How often each Xid was seen, by the PCI address and the number.
Xids = Counter[tuple[str, int]]


def xids(machine: Machine) -> Xids | None:
    """Returns the Xid errors in the kernel log; None where it cannot be read."""
    log = _log(machine)
    if log is None:
        return None
    return Counter((found["address"].lower(), int(found["number"])) for found in _LINE.finditer(log))


def decoded(topic: Topic, seen: Xids) -> list[Check]:
    """Returns what each of the errors means, by how bad it is."""
    known = _meanings()
    troubles = []
    for (address, number), times in sorted(seen.items()):
        row = known.get(str(number), {"means": "see NVIDIA's list of Xid errors", "severe": False})
        measured = f"{address}: Xid {number} ×{times}, {row['means']}"
        if row["severe"]:
            troubles.append(
                topic.failed(measured, "seat the card and its power plugs again; if it comes back, replace it")
            )
        else:
            troubles.append(
                topic.warning(measured, "look at the program that ran; if several programs meet it, at the card")
            )
    return troubles


def _xid(machine: Machine) -> Check:
    seen = xids(machine)
    if seen is None:
        return XID.not_applicable("the kernel log is for root only: run it again with sudo")
    return XID.worst(decoded(XID, seen), "none since the machine was started")


def _log(machine: Machine) -> str | None:
    for command in (("dmesg",), ("journalctl", "--dmesg", "--boot", "--no-pager", "--output=cat")):
        told = machine.ask(*command)
        if told and not told.code:
            return told.said
    return None


def _meanings() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("xid.toml").read_text())


def _ecc(gpus: tuple[Gpu, ...]) -> Check:
    if not gpus:
        return ECC.not_applicable("no GPU in the driver")
    if all(gpu.ecc is None and gpu.remap_failed is None for gpu in gpus):
        return ECC.not_applicable("these GPUs have no ECC memory")
    troubles = []
    for gpu in gpus:
        if gpu.remap_failed:
            troubles.append(ECC.failed(f"GPU {gpu.index}: a bad row could not be replaced", "replace the card"))
        elif gpu.uncorrected:
            text = f"GPU {gpu.index}: {gpu.uncorrected} uncorrected errors since the driver was loaded"
            troubles.append(ECC.failed(text, "sudo nvidia-smi --gpu-reset; if it comes back, replace the card"))
        elif gpu.remap_pending:
            text = f"GPU {gpu.index}: a row is to be replaced at the next reset"
            troubles.append(ECC.warning(text, "sudo reboot"))
    # Cards for games and workstations come with it switched off: it costs memory and speed.
    off = ", ".join(str(gpu.index) for gpu in gpus if gpu.ecc is False)
    return ECC.worst(troubles, "no uncorrected error" + (f"; off on GPU {off}" if off else ""))
