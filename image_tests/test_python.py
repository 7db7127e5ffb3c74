"""The Python environment: where it is, and PyTorch and JupyterLab in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host

from rigforge.compat.cuda import number
from rigforge.verify.expectations import Expectations

pytestmark = pytest.mark.needs("python")

# 127.0.0.1 and ::1 as proc(5) shows them.
LOCAL = {"0100007F", "00000000000000000000000001000000"}


@pytest.fixture(scope="module")
def torch(probe: Callable[[str], Any]) -> dict[str, Any]:
    """What PyTorch says of itself."""
    found: dict[str, Any] = probe("pytorch")
    return found


@pytest.fixture(scope="module")
def jupyter(probe: Callable[[str], Any]) -> dict[str, Any]:
    """A JupyterLab that was started, asked and ended."""
    found: dict[str, Any] = probe("jupyter")
    return found


def test_environment_is_active_in_a_login_shell(host: Host, expected: Expectations) -> None:
    assert host.check_output("bash -lc 'command -v python'") == f"{expected.env}/bin/python"
    assert host.check_output("bash -lc 'python -c \"import sys; print(sys.prefix)\"'") == expected.env


def test_interpreter_is_of_the_locked_version(host: Host, expected: Expectations) -> None:
    version = host.check_output("%s --version", f"{expected.env}/bin/python").removeprefix("Python ")
    locked = expected.versions["python"].split("-")[0]
    assert version == locked or version.startswith(f"{locked}.")


@pytest.mark.needs("pytorch")
def test_pytorch_is_the_locked_one_and_computes(torch: dict[str, Any], expected: Expectations) -> None:
    assert torch["version"].split("+")[0] == expected.versions["pytorch"].split("+")[0]
    assert torch["product"] == [[3.0, 3.0], [3.0, 3.0]]


@pytest.mark.needs("pytorch", "cuda")
def test_pytorch_sees_a_gpu_where_there_is_one(torch: dict[str, Any], has_gpu: bool) -> None:
    assert torch["gpu"] == has_gpu


@pytest.mark.needs("pytorch", "cuda")
def test_pytorch_uses_the_locked_cuda(torch: dict[str, Any], expected: Expectations) -> None:
    assert number(torch["cuda"]) == number(expected.versions["cuda"])
    assert torch["runtime"] == number(expected.versions["cuda"])
    assert len(torch["runtime_libraries"]) == 1


@pytest.mark.needs("pytorch", "cudnn")
def test_pytorch_uses_the_locked_cudnn(torch: dict[str, Any], expected: Expectations) -> None:
    major, minor, patch = (int(part) for part in expected.versions["cudnn"].split(".")[:3])
    # cudnn_version.h: CUDNN_VERSION, from cuDNN 9 on.
    assert torch["cudnn"] == major * 10000 + minor * 100 + patch


@pytest.mark.needs("jupyterlab")
def test_jupyterlab_is_the_locked_one(host: Host, expected: Expectations) -> None:
    said = host.check_output("bash -lc 'jupyter lab --version'")
    assert said.splitlines()[-1] == expected.versions["jupyterlab"]


@pytest.mark.needs("jupyterlab")
def test_jupyterlab_starts_and_answers(jupyter: dict[str, Any]) -> None:
    assert jupyter["api_status"] == 200
    assert "version" in jupyter["api"]


@pytest.mark.needs("jupyterlab")
def test_jupyterlab_answers_on_localhost_only(jupyter: dict[str, Any]) -> None:
    assert jupyter["addresses"]
    assert set(jupyter["addresses"]) <= LOCAL


@pytest.mark.needs("jupyterlab")
def test_jupyterlab_asks_for_its_token(jupyter: dict[str, Any]) -> None:
    assert jupyter["lab_status"] == 403 or "/login" in jupyter["lab_url"]
