"""Computing on a real GPU; the machine or container was started with one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.needs("gpu", "pytorch")

# Single precision sums of 512 products, and half precision, which has 11 bits.
SINGLE, HALF = 1e-4, 1e-2


@pytest.fixture(scope="module")
def gpu(probe: Callable[[str], Any]) -> dict[str, Any]:
    """What was computed."""
    found: dict[str, Any] = probe("gpu")
    return found


def test_pytorch_sees_the_gpu(gpu: dict[str, Any]) -> None:
    assert gpu["names"]


@pytest.mark.parametrize("what", ["matmul", "convolution"])
def test_gpu_computes_what_the_processor_computes(gpu: dict[str, Any], what: str) -> None:
    assert gpu[what] < SINGLE


def test_mixed_precision_is_half_and_near_enough(gpu: dict[str, Any]) -> None:
    assert gpu["mixed_precision_type"] == "torch.float16"
    assert gpu["mixed_precision"] < HALF


def test_nccl_reduces(gpu: dict[str, Any]) -> None:
    assert gpu["all_reduce"] == [1.0] * 8


@pytest.mark.needs("devel")
def test_compiled_function_computes_what_the_processor_computes(probe: Callable[[str], Any]) -> None:
    assert probe("compile") < SINGLE
