"""Parts of version numbers; packaging.version orders them, and debian_support those of packages."""

from __future__ import annotations

import re


def driver_branch(driver: str) -> str:
    """Returns the branch of a driver, which counts upwards.

    >>> driver_branch("535.309.01"), driver_branch("535")
    ('535', '535')
    """
    return driver.partition(".")[0]


def series(version: str) -> str:
    """Returns major and minor: Python's series, the release of a CUDA.

    >>> series("3.11.2"), series("12.8"), series("13")
    ('3.11', '12.8', '13')
    """
    return ".".join(version.split(".")[:2])


def upstream(package: str) -> str:
    """Returns a package's version without the distribution's epoch and revision.

    >>> upstream("1:580.95.05-0ubuntu0.24.04.1"), upstream("580.95.05")
    ('580.95.05', '580.95.05')
    """
    version = re.sub(r"^\d+:", "", package)
    return version.rpartition("-")[0] or version
