"""Jupyter's kernels: whose Python has another PyTorch, is gone, or sees no GPU."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.doctor.machines import Examine, write

CPU, CUDA, ROCM = ("2.9.1+cpu", ""), ("2.9.1+cu128", "12.8"), ("2.9.1+rocm6.4", "")


def python(root: Path, path: str, torch: tuple[str, str] | None, mode: int = 0o755) -> None:
    """A Python that says which PyTorch it has."""
    packages = {"torch": torch[0]} if torch else {}
    told = json.dumps({"python": "3.12", "packages": packages, "cuda": torch[1] if torch else ""})
    write(root / path, f"#!/bin/sh\necho '{told}'\n", mode)


def kernel(root: Path, folder: str, command: str, **more: object) -> None:
    told = {"argv": [command, "-m", "ipykernel_launcher"], "language": "python", **more}
    write(root / folder / "proj/kernel.json", json.dumps(told))


@pytest.mark.parametrize(
    "folder",
    [
        "usr/local/share/jupyter/kernels",
        "usr/share/jupyter/kernels",
        "opt/conda/envs/rig/share/jupyter/kernels",
        "home/u/.local/share/jupyter/kernels",
        "root/.local/share/jupyter/kernels",
        "home/u/miniconda3/envs/a/share/jupyter/kernels",
    ],
)
@pytest.mark.parametrize(("torch", "status"), [(CPU, "warning"), (ROCM, "warning"), (CUDA, "ok"), (None, "ok")])
def test_a_kernel_of_another_python(
    examine: Examine,
    healthy: Callable[[int], str],
    root: Path,
    folder: str,
    torch: tuple[str, str] | None,
    status: str,
) -> None:
    told = healthy(1)
    python(root, "home/u/venv/bin/python3", torch)
    kernel(root, folder, "/home/u/venv/bin/python3")
    found = examine(told)["checks"]["jupyter-kernels"]
    assert found["status"] == status, found
    if status == "warning":
        assert f"kernel proj (/{folder}/proj/kernel.json)" in found["measured"]
        assert f"whose PyTorch {torch[0] if torch else ''} is without CUDA" in found["measured"]
        assert found["fix"].startswith("/home/u/venv/bin/python3 -m pip install --force-reinstall torch")


def test_a_bare_name_is_the_python_of_the_kernels_environment(
    examine: Examine, healthy: Callable[[int], str], root: Path
) -> None:
    told = healthy(1)
    python(root, "opt/conda/envs/old/bin/python", CPU)
    kernel(root, "opt/conda/envs/old/share/jupyter/kernels", "python")
    kernel(root, "home/u/.local/share/jupyter/kernels", "python")
    found = examine(told)["checks"]["jupyter-kernels"]
    assert found["status"] == "warning"
    assert "of /opt/conda/envs/old/bin/python, whose PyTorch" in found["measured"]
    assert "/home/u" not in found["measured"]


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        (["/usr/bin/env", "OMP_NUM_THREADS=4", "/home/u/venv/bin/python3", "-m", "ipykernel_launcher"], True),
        (["/usr/bin/docker", "run", "/home/u/venv/bin/python3"], False),
        (["/home/u/venv/bin/start", "-m", "ipykernel_launcher"], False),
    ],
)
def test_only_a_python_is_asked(
    examine: Examine, healthy: Callable[[int], str], root: Path, command: list[str], asked: bool
) -> None:
    told = healthy(1)
    for name in ("home/u/venv/bin/python3", "home/u/venv/bin/start", "usr/bin/docker"):
        python(root, name, CPU)
    write(root / "usr/share/jupyter/kernels/x/kernel.json", json.dumps({"argv": command, "language": "python"}))
    assert (examine(told)["checks"]["jupyter-kernels"]["status"] == "warning") == asked


@pytest.mark.parametrize(
    ("made", "measured"),
    [
        (lambda root: None, "is not there"),
        (lambda root: python(root, "home/u/venv/bin/python3", CUDA, 0o644), "cannot be run"),
        (lambda root: link(root, "home/u/venv/bin/python3", "/usr/bin/python3.8"), "is not there"),
    ],
    ids=["removed", "no program", "of a system before the upgrade"],
)
def test_a_kernel_that_does_not_start(
    examine: Examine, healthy: Callable[[int], str], root: Path, made: Callable[[Path], None], measured: str
) -> None:
    told = healthy(1)
    made(root)
    kernel(root, "home/u/.local/share/jupyter/kernels", "/home/u/venv/bin/python3")
    found = examine(told)["checks"]["jupyter-kernels"]
    assert (found["status"], f"/home/u/venv/bin/python3 {measured}" in found["measured"]) == ("warning", True), found
    assert found["fix"].startswith("rm -r /home/u/.local/share/jupyter/kernels/proj")


def link(root: Path, path: str, target: str) -> None:
    (root / path).parent.mkdir(parents=True)
    (root / path).symlink_to(target)


@pytest.mark.parametrize(("value", "status"), [("", "failed"), ("-1", "failed"), ("0", "ok"), (None, "ok")])
@pytest.mark.parametrize("folder", ["usr/share/jupyter/kernels", "home/u/miniconda3/envs/a/share/jupyter/kernels"])
def test_a_kernel_that_hides_the_gpus_is_told_of_once(
    examine: Examine, healthy: Callable[[int], str], root: Path, folder: str, value: object, status: str
) -> None:
    told = healthy(1)
    python(root, "home/u/venv/bin/python3", CUDA)
    kernel(root, folder, "/home/u/venv/bin/python3", env={"CUDA_VISIBLE_DEVICES": value})
    found = examine(told)["checks"]
    assert (found["visible-gpus"]["status"], found["jupyter-kernels"]["status"]) == (status, "ok")
    file = f"/{folder}/proj/kernel.json"
    cures = [check["fix"] for check in found.values() if file in check["measured"] and check["status"] != "ok"]
    alone = [f"take CUDA_VISIBLE_DEVICES out of {file}, and restart the notebook's kernel"]
    assert cures == (alone if status == "failed" else [])


def test_the_machines_own_python_is_told_of_once(examine: Examine, healthy: Callable[[int], str], root: Path) -> None:
    told = healthy(1)
    python(root, "opt/rigforge/python/bin/python3", CPU)
    kernel(root, "opt/rigforge/python/share/jupyter/kernels", "/opt/rigforge/python/bin/python3")
    found = examine(told)["checks"]
    assert (found["compatibility"]["status"], found["jupyter-kernels"]["status"]) == ("failed", "ok")


def test_without_a_gpu_no_kernel_lacks_cuda(examine: Examine, healthy: Callable[[int], str], root: Path) -> None:
    told = healthy(0)
    python(root, "home/u/venv/bin/python3", CPU)
    kernel(root, "usr/share/jupyter/kernels", "/home/u/venv/bin/python3")
    assert examine(told)["checks"]["jupyter-kernels"]["status"] == "n/a"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"argv": []}',
        b'{"argv": [7], "language": "python"}',
        b'{"argv": "R", "language": "R"}',
        b'{"argv": ["\\u0000"], "language": "python"}',
        b'{"argv": ["/a\\u0000b"], "language": "python", "env": 3}',
        b"[" * 70_000,
    ],
)
def test_a_specification_of_rubbish_offers_nothing(
    examine: Examine, healthy: Callable[[int], str], root: Path, content: bytes
) -> None:
    told = healthy(1)
    write(root / "usr/share/jupyter/kernels/odd/kernel.json", "")
    (root / "usr/share/jupyter/kernels/odd/kernel.json").write_bytes(content)
    assert examine(told)["checks"]["jupyter-kernels"]["status"] in ("n/a", "ok")
