"""Modes of a GPU that keep programs off it, and stay until somebody changes them."""

from __future__ import annotations

from collections.abc import Iterator

from rigforge.doctor.check import Check, Topic
from rigforge.doctor.machine import Machine
from rigforge.doctor.nvml import NvmlGpu

MODE = Topic("gpu-mode", "A GPU that is split up into no parts, or lets no program in, is there for nvidia-smi only.")

#: nvml.h, nvmlComputeMode_t.
PROHIBITED, EXCLUSIVE = 2, (1, 3)


def checks(machine: Machine) -> Iterator[Check]:
    yield MODE.of(lambda: _mode(machine))


def _mode(machine: Machine) -> Check:
    if not machine.nvml.gpus:
        return MODE.not_applicable("no GPU in the driver")
    troubles = [trouble for gpu in machine.nvml.gpus if (trouble := _trouble(machine, gpu))]
    modes = [f"GPU {gpu.index}: {words}" for gpu in machine.nvml.gpus if (words := _words(machine, gpu))]
    return MODE.worst(troubles, "; ".join(modes) or "open to all programs")


def _trouble(machine: Machine, gpu: NvmlGpu) -> Check | None:
    if gpu.compute_mode == PROHIBITED:
        cure = f"sudo nvidia-smi --id={gpu.index} --compute-mode=DEFAULT"
        return MODE.failed(f"GPU {gpu.index}: compute mode prohibited, it lets no program in", cure)
    if gpu.mig and not _instances(machine, gpu):
        return MODE.failed(
            f"GPU {gpu.index}: MIG is on, but the GPU is split up into no instance that a program could use",
            f"sudo nvidia-smi mig --id {gpu.index} --create-gpu-instance 0 --default-compute-instance makes one "
            f"of the whole card; or switch MIG off: sudo nvidia-smi --id={gpu.index} --multi-instance-gpu=0",
        )
    return None


def _instances(machine: Machine, gpu: NvmlGpu) -> int:
    """Returns how many parts programs can use, where NVML does not say by the driver's own list of capabilities."""
    if gpu.instances is not None:
        return gpu.instances
    return len(list(machine.root.glob(f"proc/driver/nvidia/capabilities/gpu{gpu.index}/mig/gi*/ci*/access"))) or 1


def _words(machine: Machine, gpu: NvmlGpu) -> str:
    if gpu.mig:
        return f"MIG, {_instances(machine, gpu)} instances"
    return "one program at a time (compute mode exclusive)" if gpu.compute_mode in EXCLUSIVE else ""
