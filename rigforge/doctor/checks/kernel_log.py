"""The kernel's log on the GPUs and what is around them, and the counters of ECC memory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rigforge.doctor import kernel_log
from rigforge.doctor.check import Check, Topic
from rigforge.doctor.checks import events, xid
from rigforge.doctor.checks.xid import Xids, decoded, xids
from rigforge.doctor.kernel_log import Log
from rigforge.doctor.machine import Machine
from rigforge.doctor.nvml import NvmlGpu

__all__ = ["Xids", "checks", "decoded", "xids"]

XID = Topic("gpu-xid", "The driver writes every GPU fault to the kernel log, hours before a training run dies of it.")
START = Topic("driver-start", "A driver that could not start a card says why in the kernel log, and nowhere else.")
ERRORS = Topic("kernel-errors", "Errors of bus, processor and memory end in GPU faults, or in wrong results.")
ECC = Topic("gpu-ecc", "Memory that miscounts makes wrong results before it makes crashes.")

#: Lines of cards that NVIDIA delivers with ECC off, where they have it (GeForce, and workstations' RTX and Quadro).
_WITHOUT_ECC = re.compile(r"\b(GeForce|RTX|Quadro|TITAN)\b", re.IGNORECASE)


def checks(machine: Machine) -> Iterator[Check]:
    yield from _logged(machine)
    yield ECC.of(lambda: _ecc(machine.nvml.gpus))


def _logged(machine: Machine) -> Iterator[Check]:
    logs = kernel_log.read(machine, {*xid.WORDS, *(event.word for event in events.events())})
    if not any(not log.ago for log in logs):
        reason = "the host's: look there" if machine.container else "for root only: run it again with sudo"
        yield from (topic.not_applicable(f"the kernel log is {reason}") for topic in (XID, START, ERRORS))
        return
    yield XID.of(lambda: _xid(logs))
    yield START.of(lambda: START.worst(events.not_started(START, machine, logs), "no trouble"))
    yield ERRORS.of(lambda: ERRORS.worst(events.failing(ERRORS, machine, logs), "none"))


def _xid(logs: Sequence[Log]) -> Check:
    troubles = []
    for ago in sorted({log.ago for log in logs}):
        troubles += decoded(XID, xid.of_logs(log for log in logs if log.ago == ago), ago)
    now = [log for log in logs if not log.ago]
    if not any(log.begun for log in now):
        return XID.worst(
            troubles, "none in what is left of the kernel's log: it has wrapped, and no journal has its begin"
        )
    long = "; it is too long to be read whole" if any(log.cut for log in now) else ""
    return XID.worst(troubles, f"none since the machine was started{long}")


def _ecc(gpus: tuple[NvmlGpu, ...]) -> Check:
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
            reset = f"end all programs on it, then: sudo nvidia-smi --gpu-reset -i {gpu.index}; else sudo reboot"
            troubles.append(ECC.warning(text, reset))
        elif gpu.ecc is False and _delivered_with_ecc(gpu):
            troubles.append(
                ECC.warning(
                    f"GPU {gpu.index}: ECC is off, though the card comes with it on",
                    f"sudo nvidia-smi -i {gpu.index} --ecc-config=1, then a reset: sudo nvidia-smi -i {gpu.index} -r",
                )
            )
    # Cards for games and workstations come with it switched off: it costs memory and speed.
    off = ", ".join(str(gpu.index) for gpu in gpus if gpu.ecc is False)
    return ECC.worst(troubles, "no uncorrected error" + (f"; off on GPU {off}" if off else ""))


def _delivered_with_ecc(gpu: NvmlGpu) -> bool:
    """Tells whether a card comes with ECC on: as it says itself, else by its line, of which the data center's does."""
    return gpu.ecc_default if gpu.ecc_default is not None else not _WITHOUT_ECC.search(gpu.name)
