"""CUDA as a program meets it: a child starts it, as the user who computes; what it answers is explained by the machine.

The causes are checks of their own, which need no child: where CUDA cannot be asked, they alone say what keeps it from
starting.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rigforge.compat.interpreter import NOBODY, Person
from rigforge.doctor import cuda_driver
from rigforge.doctor.check import Check, Topic
from rigforge.doctor.checks import device_files, fabric, gpu_mode, uvm, visible_devices
from rigforge.doctor.checks.device_files import FILES
from rigforge.doctor.checks.fabric import FABRIC
from rigforge.doctor.checks.gpu_mode import MODE
from rigforge.doctor.checks.uvm import UVM
from rigforge.doctor.checks.visible_devices import VISIBLE
from rigforge.doctor.cuda_driver import CudaAnswer
from rigforge.doctor.machine import Machine

CUDA = Topic("cuda", "nvidia-smi asks the driver in another way than programs do, and may work where CUDA does not.")

__all__ = ["CUDA", "FABRIC", "FILES", "MODE", "UVM", "VISIBLE", "checks"]

#: The calls of the steps (driver_api.py).
_CALLS = {"start": "its start", "load": "loading libcuda", "init": "cuInit", "count": "cuDeviceGetCount"}

#: A context may fail so on a GPU that others compute on: no memory is left, or it is theirs alone.
_BUSY, _FULL = ("2", "46", "216"), 0.9

#: So many GPUs may take longer to wake up than anybody waits for, where nothing keeps them awake.
_MANY = 3


def checks(machine: Machine) -> Iterator[Check]:
    person = cuda_driver.who(machine)
    home = cuda_driver.home(machine, person)
    causes = (
        *device_files.checks(machine, person, home),
        *uvm.checks(machine),
        *fabric.checks(machine),
        *gpu_mode.checks(machine),
    )
    why_not, file = _why_not(machine, person), cuda_driver.library(machine)
    if not why_not and machine.answers.cuda is None:
        machine.answers.cuda = cuda_driver.ask(machine, file, person)
    answer: CudaAnswer | None = None if why_not else machine.answers.cuda
    if answer:
        yield CUDA.of(lambda: _answer(machine, answer, causes))
    else:
        yield CUDA.not_applicable(why_not)
    for cause in causes:
        refuted = answer is not None and _works(answer) and cause.id in (UVM.id, FABRIC.id) and cause.status == "failed"
        yield Check(cause.id, "ok", f"{cause.measured}; but CUDA works", cause.why) if refuted else cause
    yield from visible_devices.checks(machine, home)


def _why_not(machine: Machine, person: Person | None) -> str:
    """Returns what keeps CUDA from being asked, "" for nothing."""
    if not machine.loaded and not (machine.root / "dev/dxg").exists():
        return "no NVIDIA driver is loaded"
    if machine.at_rest:
        return "no program is started to look at it"
    if not cuda_driver.library(machine):
        here = machine.root == Path("/")
        return "no libcuda.so.1: see driver-user-space" if here else "only the running system's could be asked"
    if person and person.uid == NOBODY and device_files.for_members(machine):
        return "the device files are for a group's members, and nobody says who computes here: run it with sudo"
    return ""


def _works(answer: CudaAnswer) -> bool:
    results = [result for step, result in answer.results.items() if step != "devices"]
    return not answer.hung and not answer.died and bool(answer.devices) and all(result == "0" for result in results)


def _answer(machine: Machine, answer: CudaAnswer, causes: Sequence[Check]) -> Check:
    """Returns the check for what the child said."""
    if answer.results.get("user", "0") not in ("0", "?"):
        return CUDA.not_applicable(f"could not be asked as {answer.user}: {answer.results['user']}")
    if answer.hung:
        return _hang(machine, answer)
    if answer.died or answer.results.get(answer.last) == "?":
        return _crash(machine, answer)
    for step in ("load", "init", "count"):
        if (result := answer.results.get(step, "?")) != "0":
            return _explained(machine, step, result, causes)
    return _devices(machine, answer, causes)


def _devices(machine: Machine, answer: CudaAnswer, causes: Sequence[Check]) -> Check:
    contexts = {step: result for step, result in answer.results.items() if step.startswith("context-")}
    bad = {step: result for step, result in contexts.items() if result != "0"}
    busy = [step for step, result in bad.items() if result.partition(" ")[0] in _BUSY and _is_used(machine, step)]
    for step, result in bad.items():
        if step not in busy:
            return _explained(machine, step, result, causes)
    devices, gpus = answer.devices, len(machine.nvml.gpus)
    if devices is None:
        return CUDA.failed("libcuda does not say how many devices there are", _reload(machine))
    if not devices:
        return _explained(machine, "count", "100", causes)
    if devices < gpus and not any(gpu.mig for gpu in machine.nvml.gpus):
        return _follows(machine, f"CUDA sees {devices} of the {gpus} GPUs that nvidia-smi has", _rows()["100"], causes)
    theirs = sorted({*cuda_driver.used(machine), *(int(step.rpartition("-")[2]) for step in busy)})
    measured = f"{devices} devices, a context on {len(contexts) - len(bad)}, as {answer.user}"
    return CUDA.ok(f"{measured}; others use {', '.join(f'GPU {index}' for index in theirs)}" if theirs else measured)


def _is_used(machine: Machine, step: str) -> bool:
    """Tells whether others hold the memory of a step's GPU, or have come to compute on it."""
    index = int(step.rpartition("-")[2])
    gpu = next((gpu for gpu in machine.nvml.gpus if gpu.index == index), None)
    if not gpu:
        return False
    return bool(gpu.programs) or (gpu.used or 0) > _FULL * (gpu.memory or float("inf"))


def _hang(machine: Machine, answer: CudaAnswer) -> Check:
    measured = f"{_step_in_words(answer.last)} gave no answer in {cuda_driver.PATIENCE:g} s"
    if any(gpu.lost for gpu in machine.nvml.gpus):
        return CUDA.failed(measured, "see gpu-bus")
    asleep = [gpu for gpu in machine.nvml.gpus if gpu.persistence is False]
    if len(asleep) >= _MANY:
        measured += (
            f"; {len(asleep)} GPUs sleep between programs (persistence mode is off), and may take longer to wake"
        )
        return CUDA.warning(measured, "sudo systemctl enable --now nvidia-persistenced, then look again")
    return CUDA.failed(
        measured,
        "sudo dmesg | grep -e NVRM -e Xid says what the driver waits for; sudo nvidia-smi --gpu-reset frees a GPU that "
        "no program uses, else sudo reboot",
    )


def _crash(machine: Machine, answer: CudaAnswer) -> Check:
    how = answer.died or "ended without an answer"
    return CUDA.failed(f"the program that asks died in {_step_in_words(answer.last)} ({how})", _reload(machine))


def _reload(machine: Machine) -> str:
    library, loaded = machine.libcuda, machine.loaded
    where = f" ({library.file})" if library else ""
    if machine.container:
        return f"make the container anew: its libcuda{where} is broken, or not that of the host's driver"
    return f"install the driver's libraries{where} again, in version {loaded.version if loaded else 'of the module'}"


def _explained(machine: Machine, step: str, result: str, causes: Sequence[Check]) -> Check:
    code, _, name = result.partition(" ")
    if step == "load":
        return CUDA.failed(f"libcuda.so.1 cannot be loaded: {result}", f"see driver-user-space; {_reload(machine)}")
    row = _rows().get(code)
    if not row:
        measured = f"{_step_in_words(step)} answers {result}"
        return CUDA.failed(measured, "sudo dmesg | grep -e NVRM -e Xid says more; NVIDIA lists the answers as CUresult")
    return _follows(
        machine, f"{_step_in_words(step)} answers {code}, {name or row['name']}: {row['means']}", row, causes
    )


def _follows(machine: Machine, measured: str, row: dict[str, Any], causes: Sequence[Check]) -> Check:
    """Returns the check for an answer; the first of its causes that is there has the cure for both."""
    wrong = {cause.id for cause in causes if cause.status in ("failed", "warning")} | set(_others(machine))
    for cause in row["causes"]:
        if cause in wrong:
            return replace(CUDA.failed(measured, f"see {cause}"), cause=cause)
    return CUDA.failed(measured, row["cure"])


def _others(machine: Machine) -> Iterator[str]:
    """Yields the checks of other subjects that must have found something."""
    if any(gpu.lost for gpu in machine.nvml.gpus):
        yield "gpu-bus"
    if machine.loaded and machine.user_space not in ("", machine.loaded.version):
        yield "driver-user-space"


def _step_in_words(step: str) -> str:
    return _CALLS.get(step) or f"the context on GPU {step.rpartition('-')[2]}"


def _rows() -> dict[str, dict[str, Any]]:
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
    return {str(row["code"]): row for row in table["answer"]}
