"""Drivers that the tables have no row for."""

from __future__ import annotations

import pytest

from rigforge.compat import driver_numbers
from rigforge.compat.gpu import Gpu, find
from rigforge.compat.tables import tables


@pytest.mark.parametrize(
    ("version", "told", "cuda"),
    [
        ("580.95.05", "", "13.0"),
        ("576.02", "", "12.9"),
        ("585.10", "", "13.0"),
        ("605.10", "", "13.2"),
        ("999.10.01", "15.1", "15.1"),
        ("999.10.01", "rubbish", None),
        ("580.95.05", "15.1", "13.0"),
    ],
)
def test_the_cuda_of_a_driver(version: str, told: str, cuda: str | None) -> None:
    driver = driver_numbers.driver(tables(), version, "open", told)
    assert driver
    assert driver.branch.cuda == cuda or (cuda is None and driver.branch.cuda.startswith("13."))


def test_a_driver_before_the_first_of_the_tables() -> None:
    assert driver_numbers.driver(tables(), "340.108", "proprietary") is None


@pytest.mark.parametrize(
    ("version", "gpu", "drives"),
    [
        ("999.10.01", find("5090"), True),
        ("999.10.01", find("1080 Ti"), False),
        ("999.10.01", Gpu("Card of tomorrow", "14.0"), True),
        ("580.95.05", Gpu("Card of tomorrow", "14.0"), False),
        ("585.10", find("5090"), True),
    ],
)
def test_what_a_driver_without_a_row_drives(version: str, gpu: Gpu, drives: bool) -> None:
    driver = driver_numbers.driver(tables(), version, "open")
    assert driver
    assert (driver_numbers.why_not(tables(), driver, gpu) == "") == drives
