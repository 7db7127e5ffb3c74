"""Reading and changing what a GPU may do, through NVML. What is changed is put back, and looked at again."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

import pynvml

from rigforge.doctor.tune.setting import TuneSetting
from rigforge.errors import RigforgeError

#: Tries, and seconds between them, before it is said that a limit could not be put back.
TRIES, PAUSE = 3, 0.5


class RestoredSettings:
    """A GPU whose settings are, when the block is left, what they were before it. NVML is started.

    `before` is the power limit in milliwatts, None where the card has none; `trouble` is why it is not back, "" where
    it is. A lock of the clocks is taken away at the end: the driver does not say whether there was one before.
    """

    def __init__(self, uuid: str) -> None:
        self.uuid = uuid
        self.trouble = ""
        self.before = power_limit(uuid)
        self._locked = False

    def __enter__(self) -> RestoredSettings:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for attempt in range(TRIES):
            time.sleep(PAUSE if attempt else 0)
            self.trouble = self._restore()
            if not self.trouble:
                return

    def change(self, setting: TuneSetting) -> None:
        """Makes the setting the only one that differs from before. Raises RigforgeError where the driver refuses."""
        try:
            if setting.kind == "power":
                set_power_limit(self.uuid, setting.value * 1000)
            else:
                self._locked = True
                pynvml.nvmlDeviceSetGpuLockedClocks(handle(self.uuid), 0, setting.value)
        except pynvml.NVMLError as error:
            raise refusal(error, f"set {setting}") from error

    def _restore(self) -> str:
        try:
            if self._locked:
                pynvml.nvmlDeviceResetGpuLockedClocks(handle(self.uuid))
                self._locked = False
            if self.before is not None and power_limit(self.uuid) != self.before:
                set_power_limit(self.uuid, self.before)
        except (pynvml.NVMLError, RigforgeError) as error:
            return str(error)
        return ""


def power_limit(uuid: str) -> int | None:
    """Returns the power limit that is set, in milliwatts; None where the card has none. Raises RigforgeError."""
    try:
        return int(pynvml.nvmlDeviceGetPowerManagementLimit(handle(uuid)))
    except pynvml.NVMLError as error:
        if error.value == pynvml.NVML_ERROR_NOT_SUPPORTED:
            return None
        raise refusal(error, "read the power limit") from error


def set_power_limit(uuid: str, milliwatts: int) -> None:
    """Sets the limit and reads it back. Raises NVMLError, and RigforgeError where another value comes back."""
    pynvml.nvmlDeviceSetPowerManagementLimit(handle(uuid), milliwatts)
    limit_now = power_limit(uuid)
    if limit_now != milliwatts:
        raise RigforgeError(
            f"the driver was told {milliwatts / 1000:g} W and says {(limit_now or 0) / 1000:g} W",
            "look at what else sets limits: systemctl list-units '*nvidia*' '*power-limit*'",
        )


def reset(uuid: str, *, clocks: bool) -> int:
    """Sets the card's default limit without a lock of the clocks; returns it in milliwatts. Raises RigforgeError."""
    try:
        if clocks:
            pynvml.nvmlDeviceResetGpuLockedClocks(handle(uuid))
        default = int(pynvml.nvmlDeviceGetPowerManagementDefaultLimit(handle(uuid)))
        set_power_limit(uuid, default)
    except pynvml.NVMLError as error:
        raise refusal(error, "set the default limit") from error
    return default


def refusal(error: Any, what: str) -> RigforgeError:
    """Returns what NVML's error means for the user."""
    if error.value == pynvml.NVML_ERROR_NO_PERMISSION:
        return RigforgeError(
            f"the driver does not let us {what}: it needs root", "run it with sudo, not in a container"
        )
    if error.value == pynvml.NVML_ERROR_NOT_SUPPORTED:
        return RigforgeError(
            f"the driver does not let us {what}", "this card has fixed limits, as those of laptops have"
        )
    return RigforgeError(f"the driver does not let us {what}: {error}", "rigforge-doctor says how the GPU is")


def handle(uuid: str) -> Any:
    return pynvml.nvmlDeviceGetHandleByUUID(uuid.encode())
