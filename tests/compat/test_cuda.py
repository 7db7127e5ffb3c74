"""Which driver runs programs of which CUDA version."""

from __future__ import annotations

import pytest

from rigforge.compat.cuda import driver_runs, number


def test_versions_are_numbers_as_in_the_cuda_api() -> None:
    assert number("12.8.90") == 12080
    assert number("13.0") == 13000


@pytest.mark.parametrize(
    ("driver", "driver_cuda", "runtime", "runs"),
    [
        ("570.211.01", 12080, 12080, True),  # the same
        ("580.178.04", 13000, 12080, True),  # newer driver, older programs
        ("535.309.01", 12020, 12080, True),  # minor version compatibility
        ("525.60.12", 12000, 12080, False),  # just below its floor
        ("535.309.01", 12020, 13000, False),  # never across majors
    ],
)
def test_driver_against_runtime(driver: str, driver_cuda: int, runtime: int, runs: bool) -> None:
    assert driver_runs(driver, driver_cuda, runtime) == runs
