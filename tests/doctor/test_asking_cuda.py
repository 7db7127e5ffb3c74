"""CUDA asked by a child, with a stand-in for libcuda: each of its answers, and what the machine says of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import machines
import pytest
from machines import Examine, program, write

from rigforge.doctor.checks import cuda
from rigforge.doctor.cuda_driver import PATIENCE, CudaAnswer
from rigforge.doctor.machine import Machine
from rigforge.doctor.nvml import Nvml

Answers = Callable[[str], dict[str, Any]]

SWITCH = "sys/bus/pci/devices/0000:0{}:00.1"


@pytest.fixture(scope="module")
def libcuda() -> Iterator[Path]:
    """The stand-in, where nobody's processes can read it."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    source = Path(__file__).with_name("cuda.c")
    options = ["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["cc", *options, "-o", folder / "libcuda.so.1", source], check=True)
    yield folder / "libcuda.so.1"
    shutil.rmtree(folder)


@pytest.fixture
def answers(libcuda: Path, examine: Examine, root: Path, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Takes what libcuda answers, and what NVML does for a machine of one GPU; returns the checks."""
    monkeypatch.setenv("MOCK_CUDA", str(libcuda))

    def ask(told: str, nvml: str = "") -> dict[str, Any]:
        libcuda.with_name("libcuda.so.1.told").write_text(told)
        if not root.exists():
            machines.machine(root, 1)
        checks: dict[str, Any] = examine(nvml or machines.answers(1))["checks"]
        return checks

    return ask


def test_a_machine_in_good_health(answers: Answers) -> None:
    found = answers("")["cuda"]
    assert (found["status"], found["measured"][:28]) == ("ok", "1 devices, a context on 1, a")


@pytest.mark.parametrize("code", [int(code) for code in cuda._rows()])
def test_every_answer_is_explained_and_has_a_cure(tmp_path: Path, code: int) -> None:
    found = cuda._answer(Machine(Nvml(), tmp_path), CudaAnswer({"load": "0", "init": str(code)}, "ann"), ())
    assert found.status == "failed"
    assert found.measured.startswith(f"cuInit answers {code}, CUDA_ERROR_")
    assert found.fix


@pytest.mark.parametrize("result", ["4711 CUDA_ERROR_OF_SOME_KIND", "-1", "symbol not found", ""])
def test_an_answer_that_nobody_knows(tmp_path: Path, result: str) -> None:
    found = cuda._answer(Machine(Nvml(), tmp_path), CudaAnswer({"load": "0", "init": result}, "ann"), ())
    assert (found.status, found.measured) == ("failed", f"cuInit answers {result}")


@pytest.mark.parametrize(
    ("told", "measured"),
    [
        ("init crash", "died in cuInit (SIGILL)"),
        ("init exit", "died in cuInit (exit code 7)"),
        ("context-0 crash", "died in the context on GPU 0 (SIGILL)"),
        ("count 999", "cuDeviceGetCount answers 999"),
        ("devices 0", "CUDA_ERROR_NO_DEVICE"),
        ("context 101", "the context on GPU 0 answers 101"),
        ("devices -5", "does not say how many devices"),
        ("devices 2147483647", "does not say how many devices"),
    ],
)
def test_what_goes_wrong_on_the_way(answers: Answers, told: str, measured: str) -> None:
    found = answers(told)["cuda"]
    assert found["status"] == "failed"
    assert measured in found["measured"]
    assert found["fix"]


@pytest.mark.parametrize("step", ["init", "context"])
def test_a_hang_is_a_finding_and_is_waited_for_no_longer_than_said(answers: Answers, root: Path, step: str) -> None:
    machines.machine(root, 8)
    start = time.monotonic()
    found = answers(f"devices 8\n{step} hang", machines.answers(8))["cuda"]
    assert time.monotonic() - start < PATIENCE + 3
    assert found["status"] == "failed"
    assert f"gave no answer in {PATIENCE:g} s" in found["measured"]


def test_many_gpus_that_sleep_are_only_warned_of(answers: Answers, root: Path) -> None:
    machines.machine(root, 4)
    sleeping = {f"gpu{index}": {"persistence": 0} for index in range(4)}
    found = answers("init hang", machines.answers(4, **sleeping))["cuda"]
    assert (found["status"], "nvidia-persistenced" in found["fix"]) == ("warning", True)


def test_noise_and_nonsense_of_the_library_are_nothing_that_it_said(answers: Answers) -> None:
    assert answers("init noise")["cuda"]["status"] == "ok"


@pytest.mark.parametrize("gpu", [{"programs": 1}, {"used": int(23.9 * machines.GIB)}])
@pytest.mark.parametrize("code", [2, 46])
def test_a_gpu_that_others_use_is_no_fault(answers: Answers, gpu: dict[str, object], code: int) -> None:
    found = answers(f"context {code}", machines.answers(1, gpu0=gpu))["cuda"]
    assert found["status"] == "ok"
    assert found["measured"].endswith("others use GPU 0")


def test_fewer_devices_than_the_driver_has(answers: Answers, root: Path) -> None:
    machines.machine(root, 8)
    found = answers("devices 7", machines.answers(8))["cuda"]
    assert (found["status"], "7 of the 8 GPUs" in found["measured"]) == ("failed", True)


#: An answer, what else the machine is like, and the check that has the cause and its cure.
CAUSES: list[tuple[str, dict[str, str], dict[str, object], str]] = [
    (
        "init 802",
        {f"{SWITCH.format(5)}/vendor": "0x10de", f"{SWITCH.format(5)}/class": "0x068000"},
        {},
        "fabric-manager",
    ),
    ("init 999", {"proc/modules": "nvidia 1 0 - Live\n"}, {}, "nvidia-uvm"),
    ("init 100", {"proc/driver/nvidia/params": "DeviceFileMode: 384\n"}, {}, "device-files"),
    ("init 100", {}, {"mig": 1, "mig_parts": 0}, "gpu-mode"),
    ("context 46", {}, {"compute_mode": 2}, "gpu-mode"),
]


@pytest.mark.parametrize(("told", "files", "gpu", "cause"), CAUSES)
def test_an_answer_follows_from_its_cause_which_alone_has_the_cure(
    answers: Answers, root: Path, told: str, files: dict[str, str], gpu: dict[str, object], cause: str
) -> None:
    machines.machine(root, 1)
    for path, text in files.items():
        write(root / path, text)
    program(root, "systemctl", 'case "$*" in *fabricmanager*) echo inactive; exit 3;; *) echo active;; esac')
    found = answers(told, machines.answers(1, gpu0=gpu))
    assert found[cause]["status"] == "failed"
    assert (found["cuda"]["status"], found["cuda"]["fix"], found["cuda"]["cause"]) == ("failed", "", cause)


def test_what_cuda_itself_refutes_is_no_fault(answers: Answers, root: Path) -> None:
    machines.machine(root, 1)
    write(root / "proc/modules", "nvidia 1 0 - Live\n")
    found = answers("")
    assert (found["nvidia-uvm"]["status"], found["cuda"]["status"]) == ("ok", "ok")


def test_libraries_of_another_version_are_why(answers: Answers, root: Path) -> None:
    machines.machine(root, 1)
    folder = root / "usr/lib/x86_64-linux-gnu"
    (folder / "libcuda.so.1").unlink()
    write(folder / "libcuda.so.570.10.01", "")
    (folder / "libcuda.so.1").symlink_to("libcuda.so.570.10.01")
    assert answers("init 803")["cuda"]["cause"] == "driver-user-space"


def test_another_root_is_not_asked_without_a_stand_in(examine: Examine, healthy: Callable[[int], str]) -> None:
    found = examine(healthy(1))["checks"]["cuda"]
    assert (found["status"], found["measured"]) == ("n/a", "only the running system's could be asked")


def test_the_child_is_never_root_and_sees_all_gpus(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", "12345")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    measured = answers("")["cuda"]["measured"]
    assert measured.endswith("as 12345" if os.geteuid() == 0 else "")


def test_the_table_names_each_code_once() -> None:
    rows = tomllib.loads(Path(cuda.__file__).with_suffix(".toml").read_text())["answer"]
    assert len({row["code"] for row in rows}) == len(rows) == len({row["name"] for row in rows})
