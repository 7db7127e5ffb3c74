"""A GPU's own counters and figures, read through NVML: bad memory, errors of its links, heat, firmware.

Slower to read than what changes from second to second (rigforge.doctor.nvml), and wanted once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pynvml

from rigforge.doctor.nvml_call import ODD, maybe

#: Field identifiers (nvml.h, NVML_FI_DEV_*) that kept their number in every release.
_RETIRED_SINGLE, _RETIRED_DOUBLE, _RETIRED_PENDING = 29, 30, 31
_THERMAL, _MEMORY_TEMPERATURE, _RECOVERY_ACTION = 75, 82, 230
_LINK_CRC = (38, 45)
_LINK_REPLAYS, _LINK_RECOVERIES = 52, 59
_FIELDS = (
    *(_RETIRED_SINGLE, _RETIRED_DOUBLE, _RETIRED_PENDING, _THERMAL, _MEMORY_TEMPERATURE, _RECOVERY_ACTION),
    *(*_LINK_CRC, _LINK_REPLAYS, _LINK_RECOVERIES),
)

#: The union's member for each nvmlValueType_t.
_MEMBERS = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")

#: nvml.h: nvmlTemperatureThresholds_t, the one at which memory slows the GPU down.
_MEMORY_MAX = 2

#: NVML_NVLINK_MAX_LINKS, and nvmlIntNvLinkDeviceType_t's switch.
_MOST_LINKS, _SWITCH = 18, 2


@dataclass(frozen=True)
class Health:
    """None is what the GPU does not tell.

    `replays`: packets that PCIe had to send again. Temperatures in °C. `retired`: pages of memory set aside,
    `retired_double` those for errors that could not be corrected; `full_banks`: banks of memory without a spare row;
    `corrected`: ECC errors since the driver was loaded. `hot`: seconds since then in which heat held the clocks.
    `bar1`: bytes of memory that other devices reach. `links`: NVLinks that are up, of `links_there`; `switched`: they
    lead to a switch; `link_errors`: replays and recoveries, `link_crc` checksum errors, of all of them. `inforom`: is
    it whole? `action`: what NVML says is to be done (nvmlDeviceGpuRecoveryAction_t).
    """

    replays: int | None = None
    memory_temperature: int | None = None
    memory_limit: int | None = None
    retired: int | None = None
    retired_double: int | None = None
    retired_pending: bool | None = None
    full_banks: int | None = None
    corrected: int | None = None
    sram_exceeded: bool | None = None
    hot: float | None = None
    bar1: int | None = None
    links: int | None = None
    links_there: int | None = None
    switched: bool = False
    link_errors: int | None = None
    link_crc: int | None = None
    vbios: str = ""
    inforom: bool | None = None
    action: int | None = None


def read(handle: Any) -> Health:
    """Returns what the GPU behind a handle of NVML's tells of itself."""
    gpu = pynvml
    fields = _fields(handle)
    pending = fields.get(_RETIRED_PENDING)
    banks = maybe(gpu.nvmlDeviceGetRowRemapperHistogram, handle)
    bar1 = maybe(gpu.nvmlDeviceGetBAR1MemoryInfo, handle)
    states = _links(handle)
    hot = fields.get(_THERMAL)
    return Health(
        replays=maybe(gpu.nvmlDeviceGetPcieReplayCounter, handle),
        memory_temperature=fields.get(_MEMORY_TEMPERATURE) or None,
        memory_limit=maybe(gpu.nvmlDeviceGetTemperatureThreshold, handle, _MEMORY_MAX),
        retired=_sum(fields, (_RETIRED_SINGLE, _RETIRED_DOUBLE)),
        retired_double=fields.get(_RETIRED_DOUBLE),
        retired_pending=None if pending is None else bool(pending),
        full_banks=banks.none if banks else None,
        corrected=maybe(gpu.nvmlDeviceGetTotalEccErrors, handle, 0, gpu.NVML_VOLATILE_ECC),
        sram_exceeded=_sram(handle),
        hot=None if hot is None else hot / 1e9,
        bar1=bar1.bar1Total if bar1 else None,
        links=sum(states) if states else None,
        links_there=len(states) or None,
        switched=bool(states) and maybe(gpu.nvmlDeviceGetNvLinkRemoteDeviceType, handle, 0) == _SWITCH,
        link_errors=_sum(fields, (_LINK_REPLAYS, _LINK_RECOVERIES)),
        link_crc=_sum(fields, _LINK_CRC),
        vbios=maybe(gpu.nvmlDeviceGetVbiosVersion, handle) or "",
        inforom=_inforom(handle),
        action=fields.get(_RECOVERY_ACTION),
    )


def _fields(handle: Any) -> dict[int, int]:
    values = maybe(pynvml.nvmlDeviceGetFieldValues, handle, list(_FIELDS))
    if values is None:
        return {}
    return {
        value.fieldId: int(getattr(value.value, _MEMBERS[value.valueType]))
        for value in values
        if value.nvmlReturn == pynvml.NVML_SUCCESS and value.valueType < len(_MEMBERS)
    }


def _sum(fields: dict[int, int], names: Iterable[int]) -> int | None:
    counts = [fields[name] for name in names if name in fields]
    return sum(counts) if counts else None


def _links(handle: Any) -> list[bool]:
    """Returns for each NVLink whether it is up; nothing where the GPU has none."""
    states = []
    for link in range(_MOST_LINKS):
        state = maybe(pynvml.nvmlDeviceGetNvLinkState, handle, link)
        if state is None:
            break
        states.append(bool(state))
    return states


def _sram(handle: Any) -> bool | None:
    try:
        status = pynvml.c_nvmlEccSramErrorStatus_v1_t()
        pynvml.nvmlDeviceGetSramEccErrorStatus(handle, pynvml.byref(status))
    except (pynvml.NVMLError, *ODD):
        return None
    return bool(status.bThresholdExceeded)


def _inforom(handle: Any) -> bool | None:
    try:
        pynvml.nvmlDeviceValidateInforom(handle)
    except ODD:
        return None
    except pynvml.NVMLError as error:
        return False if error.value == pynvml.NVML_ERROR_CORRUPTED_INFOROM else None
    return True
