"""The driver's view of its GPUs, read once through NVML. What a GPU does not support is None."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pynvml

from rigforge.doctor import health
from rigforge.doctor.health import Health
from rigforge.doctor.nvml_call import ODD
from rigforge.doctor.nvml_call import maybe as _maybe

#: Seconds for all that is asked; eight GPUs take one.
PATIENCE = 4.5

#: nvml.h, nvmlGpuP2PCapsIndex_t; the Python package has a tuple for it.
_READ = 0

#: No GPU has more parts; what says so is no driver.
_MOST_INSTANCES = 64


@dataclass(frozen=True)
class NvmlGpu:
    """One GPU as the driver sees it.

    Memory in bytes, power in watts, temperatures in °C, clocks in MHz, fan and utilisation in percent. `address` is
    the PCI address as sysfs writes it. `reasons` are NVML's bits for why the clocks are lower than they could be;
    `uncorrected` are ECC errors that memory could not correct since the driver was loaded. `lost` is why the driver
    does not reach the GPU any more. `mig` tells whether it is split up (Multi-Instance GPU), `instances` in how many
    parts; `compute_mode` is nvml.h's nvmlComputeMode_t, `programs` how many compute on it. `capability` is its compute
    capability, such as "8.9".
    """

    index: int
    name: str = ""
    address: str = ""
    uuid: str = ""
    memory: int | None = None
    used: int | None = None
    temperature: int | None = None
    slowdown: int | None = None
    fan: int | None = None
    power: float | None = None
    power_limit: float | None = None
    power_default: float | None = None
    power_range: tuple[float, float] | None = None
    link_width: int | None = None
    link_width_max: int | None = None
    link_generation: int | None = None
    link_generation_max: int | None = None
    clock: int | None = None
    clock_max: int | None = None
    utilisation: int | None = None
    state: int | None = None
    reasons: int | None = None
    persistence: bool | None = None
    ecc: bool | None = None
    ecc_default: bool | None = None
    uncorrected: int | None = None
    remap_pending: bool | None = None
    remap_failed: bool | None = None
    mig: bool | None = None
    instances: int | None = None
    compute_mode: int | None = None
    programs: int | None = None
    lost: str = ""
    capability: str = ""
    health: Health = field(default_factory=Health)


@dataclass(frozen=True)
class Nvml:
    """The driver and its GPUs. `error` says why there is none. `apart` are pairs of GPUs without peer-to-peer, each
    with NVML's word for why (nvml.h, nvmlGpuP2PStatus_t); None where the driver does not say.
    """

    driver: str = ""
    cuda: str = ""
    gpus: tuple[NvmlGpu, ...] = ()
    apart: tuple[tuple[int, int, int], ...] | None = None
    error: str = ""


@contextmanager
def kept_open() -> Iterator[None]:
    """Keeps the driver's library started, where there is one, so that reading again and again is quick."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield
        return
    try:
        yield
    finally:
        pynvml.nvmlShutdown()


def read(*, briefly: bool = False) -> Nvml:
    """Returns what NVML says; where it does not start or gives no answer, why.

    `briefly`: without the GPUs' health, for each second. A driver that hangs keeps the thread that asks it, not us.
    """
    answers: list[Nvml] = []
    asking = threading.Thread(target=lambda: answers.append(_read(briefly)), daemon=True)
    asking.start()
    asking.join(PATIENCE)
    return answers[0] if answers else Nvml(error=f"the driver gives no answer in {PATIENCE:g} s")


def _read(briefly: bool) -> Nvml:
    try:
        pynvml.nvmlInit()
    except (pynvml.NVMLError, *ODD) as error:
        return Nvml(error=str(error))
    try:
        cuda = _maybe(pynvml.nvmlSystemGetCudaDriverVersion) or 0
        handles = [_handle(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return Nvml(
            driver=_maybe(pynvml.nvmlSystemGetDriverVersion) or "",
            cuda=f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else "",
            gpus=tuple(_gpu(index, handle, briefly) for index, handle in enumerate(handles)),
            apart=_pairs_apart(handles),
        )
    except (pynvml.NVMLError, *ODD) as error:
        return Nvml(error=str(error))
    finally:
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def address(of_nvml: str) -> str:
    """Returns a PCI address as sysfs writes it.

    >>> address("00000000:0A:00.0")
    '0000:0a:00.0'
    """
    return of_nvml[-12:].lower()


def _handle(index: int) -> Any:
    try:
        return pynvml.nvmlDeviceGetHandleByIndex(index)
    except pynvml.NVMLError as error:
        return error


def _gpu(index: int, handle: Any, briefly: bool) -> NvmlGpu:
    if isinstance(handle, pynvml.NVMLError):
        return NvmlGpu(index, lost=str(handle))
    gpu = pynvml
    memory = _maybe(gpu.nvmlDeviceGetMemoryInfo, handle)
    pci = _maybe(gpu.nvmlDeviceGetPciInfo, handle)
    rates = _maybe(gpu.nvmlDeviceGetUtilizationRates, handle)
    rows = _maybe(gpu.nvmlDeviceGetRemappedRows, handle)
    limits = _maybe(gpu.nvmlDeviceGetPowerManagementLimitConstraints, handle)
    mode = _maybe(gpu.nvmlDeviceGetEccMode, handle)
    mig = _maybe(gpu.nvmlDeviceGetMigMode, handle)
    programs = _maybe(gpu.nvmlDeviceGetComputeRunningProcesses, handle)
    delivered = _maybe(gpu.nvmlDeviceGetDefaultEccMode, handle)
    uncorrected = (gpu.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, gpu.NVML_VOLATILE_ECC)
    try:
        temperature = gpu.nvmlDeviceGetTemperature(handle, gpu.NVML_TEMPERATURE_GPU)
        lost = ""
    except ODD:
        temperature, lost = None, ""
    except gpu.NVMLError as error:
        temperature = None
        lost = str(error) if error.value in (gpu.NVML_ERROR_GPU_IS_LOST, gpu.NVML_ERROR_RESET_REQUIRED) else ""
    return NvmlGpu(
        index=index,
        name=_maybe(gpu.nvmlDeviceGetName, handle) or "",
        address=address(pci.busId) if pci else "",
        uuid=_maybe(gpu.nvmlDeviceGetUUID, handle) or "",
        memory=memory.total if memory else None,
        used=memory.used if memory else None,
        temperature=temperature,
        slowdown=_maybe(gpu.nvmlDeviceGetTemperatureThreshold, handle, gpu.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN),
        fan=_maybe(gpu.nvmlDeviceGetFanSpeed, handle),
        power=_watts(_maybe(gpu.nvmlDeviceGetPowerUsage, handle)),
        power_limit=_watts(_maybe(gpu.nvmlDeviceGetEnforcedPowerLimit, handle)),
        power_default=_watts(_maybe(gpu.nvmlDeviceGetPowerManagementDefaultLimit, handle)),
        power_range=(limits[0] / 1000, limits[1] / 1000) if limits else None,
        link_width=_maybe(gpu.nvmlDeviceGetCurrPcieLinkWidth, handle),
        link_width_max=_maybe(gpu.nvmlDeviceGetMaxPcieLinkWidth, handle),
        link_generation=_maybe(gpu.nvmlDeviceGetCurrPcieLinkGeneration, handle),
        link_generation_max=_maybe(gpu.nvmlDeviceGetMaxPcieLinkGeneration, handle),
        clock=_maybe(gpu.nvmlDeviceGetClockInfo, handle, gpu.NVML_CLOCK_SM),
        clock_max=_maybe(gpu.nvmlDeviceGetMaxClockInfo, handle, gpu.NVML_CLOCK_SM),
        utilisation=rates.gpu if rates else None,
        state=_maybe(gpu.nvmlDeviceGetPerformanceState, handle),
        reasons=_maybe(gpu.nvmlDeviceGetCurrentClocksThrottleReasons, handle),
        persistence=_flag(_maybe(gpu.nvmlDeviceGetPersistenceMode, handle)),
        ecc=_flag(mode[0]) if mode else None,
        ecc_default=_flag(delivered[0]) if delivered else None,
        uncorrected=_maybe(gpu.nvmlDeviceGetTotalEccErrors, handle, *uncorrected),
        remap_pending=bool(rows[2]) if rows else None,
        remap_failed=bool(rows[3]) if rows else None,
        mig=_flag(mig[0]) if mig else None,
        instances=_instances(handle) if mig and mig[0] else None,
        compute_mode=_maybe(gpu.nvmlDeviceGetComputeMode, handle),
        programs=None if programs is None else len(programs),
        lost=lost,
        capability=".".join(map(str, _maybe(gpu.nvmlDeviceGetCudaComputeCapability, handle) or ())),
        health=Health() if briefly or lost else health.read(handle),
    )


def _instances(handle: Any) -> int | None:
    """Returns in how many parts a GPU is split up that programs can use; None where the driver does not say."""
    most = _maybe(pynvml.nvmlDeviceGetMaxMigDeviceCount, handle)
    if most is None:
        return None
    places = range(min(most, _MOST_INSTANCES))
    return sum(_maybe(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, place) is not None for place in places)


def _pairs_apart(handles: list[Any]) -> tuple[tuple[int, int, int], ...] | None:
    """Returns the pairs of GPUs that cannot read each other's memory, and why; None where the driver does not say."""
    states = [
        (one, other, _maybe(pynvml.nvmlDeviceGetP2PStatus, handle, handles[other], _READ))
        for one, handle in enumerate(handles)
        for other in range(one + 1, len(handles))
        if not isinstance(handle, pynvml.NVMLError) and not isinstance(handles[other], pynvml.NVMLError)
    ]
    if not states or any(state is None for *_, state in states):
        return None
    return tuple((one, other, state) for one, other, state in states if state)


def _watts(milliwatts: int | None) -> float | None:
    return None if milliwatts is None else milliwatts / 1000


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)
