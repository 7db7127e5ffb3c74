"""Drivers judged by their number: those that the tables have no row for, between two that they have or after the last.

NVIDIA's drivers are counted upwards, and a later one runs what an earlier one ran (CUDA Compatibility, Binary
Compatibility); what a branch has dropped comes back in none.
"""

from __future__ import annotations

import re

from packaging.version import Version

from rigforge.compat.gpu import Gpu
from rigforge.compat.rules import Driver, driver_with_gpu
from rigforge.compat.tables import Branch, Module, Tables
from rigforge.rules.versions import driver_branch

_CUDA = re.compile(r"\d{1,3}\.\d{1,3}", re.ASCII)


def driver(tables: Tables, version: str, module: Module, cuda: str = "") -> Driver | None:
    """Returns a driver with its branch's row or, where there is none, the row before it with this one's number.

    `cuda` is what the driver says of itself. None for one that is older than the tables.
    """
    row = tables.branch_of(version)
    if not row and (before := _before(tables, version)):
        number = driver_branch(version)
        own = cuda if _CUDA.fullmatch(cuda) else _cuda(tables, version, before)
        row = before.model_copy(update={"name": number, "latest": version, "cuda": own})
    return Driver(row, version, module) if row else None


def newer(tables: Tables, version: str) -> bool:
    """Tells whether a driver is of a branch after the last of the tables."""
    return _number(version) > max(_number(branch.name) for branch in tables.branches)


def first(tables: Tables) -> str:
    """Returns the oldest branch of the tables."""
    return min((branch.name for branch in tables.branches), key=int)


def why_not(tables: Tables, driver: Driver, gpu: Gpu) -> str:
    """Returns why a driver does not drive a card; empty where it does, or where nobody can know it yet."""
    version = driver.version
    if tables.branch_of(version):
        return driver_with_gpu(tables, driver, gpu)
    if newer(tables, version):
        unheard_of = not any(branch.drives(gpu.capability) for branch in tables.branches)
        return "" if unheard_of else driver_with_gpu(tables, driver, gpu)
    # Between two branches: a card that the later one drives is driven from the CUDA on that has code for it.
    later = min((row for row in tables.branches if _number(row.name) > _number(version)), key=lambda row: int(row.name))
    came_with = [row.newest for row in tables.releases if Version(row.driver) <= Version(version)]
    by_now = later.drives(gpu.capability) and gpu.capability <= max(came_with, default=(0, 0))
    return "" if by_now else driver_with_gpu(tables, driver, gpu)


def _before(tables: Tables, version: str) -> Branch | None:
    earlier = [branch for branch in tables.branches if _number(branch.name) < _number(version)]
    return max(earlier, key=lambda branch: _number(branch.name), default=None)


def _cuda(tables: Tables, version: str, before: Branch) -> str:
    """Returns the newest CUDA release that came with this driver or an earlier one."""
    releases = [release.version for release in tables.releases if Version(release.driver) <= Version(version)]
    major, minor = max([Version(before.cuda), *releases]).release[:2]
    return f"{major}.{minor}"


def _number(version: str) -> int:
    return int(driver_branch(version))
