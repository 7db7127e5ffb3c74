"""NVIDIA's rule of which driver runs programs of which CUDA version."""

from __future__ import annotations

from packaging.version import Version

from rigforge.compat.tables import read

#: CUDA major version -> oldest driver that runs any minor version of it.
OLDEST_DRIVER: dict[int, str] = {row["version"]: row["driver"] for row in read("cuda")["major"]}


def major(version: str) -> int:
    """Returns the major version: of "12.8.90" it is 12."""
    return int(version.partition(".")[0])


def number(version: str) -> int:
    """Returns a CUDA version as the CUDA API gives it: "12.8.90" is 12080."""
    return major(version) * 1000 + int(version.split(".")[1]) * 10


def driver_runs(driver: str, driver_cuda: int, runtime: int) -> bool:
    """Tells whether a driver, whose own CUDA version is `driver_cuda`, runs programs of CUDA `runtime`."""
    if driver_cuda >= runtime:
        return True
    major = runtime // 1000
    return driver_cuda // 1000 == major and Version(driver) >= Version(OLDEST_DRIVER[major])
