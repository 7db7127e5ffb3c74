"""Burn-in with a mock driver and a stand-in for PyTorch: what goes wrong, and what is said of it (a minute)."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from rigforge.paths import PROJECT
from tests.doctor import machines
from tests.doctor.machines import Start, uuid

#: A GPU at full load.
BUSY = {"temperature": 71, "utilisation": 100, "draw": 440_000, "reasons": "0x4"}
BRIEF = ("burn-in", "--minutes", "0.03", "--json")


def answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Returns the answer, its checks by id, with the exit code as `code`."""
    said, complaint = process.communicate(timeout=60)
    assert "Traceback" not in complaint, complaint
    found = json.loads(said)
    jsonschema.validate(found, json.loads((PROJECT / "docs/burn-in.schema.json").read_text()))
    return {**found, "checks": {check["id"]: check for check in found["checks"]}, "code": process.returncode}


@pytest.fixture(autouse=True)
def machine(root: Path) -> None:
    machines.machine(root, 2)


def test_two_healthy_gpus_are_well_after_the_whole_time(start: Start) -> None:
    found = answer(start(machines.answers(2, gpu0=BUSY, gpu1=BUSY), *BRIEF))
    assert (found["verdict"], found["code"], found["interrupted"]) == ("ok", 0, False)
    assert {check["status"] for check in found["checks"].values()} == {"ok"}
    assert found["seconds"] == pytest.approx(1.8)
    for gpu in found["gpus"]:
        assert gpu["formats"]["float16"]["operations"] > 10**13
        assert gpu["samples"][-1]["temperature"] == 71
        assert gpu["samples"][-1]["power"] == 440


@pytest.mark.parametrize(
    ("fault", "check", "measured"),
    [
        ("wrong", "results", "numbers in float16 not as at first"),
        ("inexact", "results", "float16 is off by 0.5"),
        ("memory", "gpu-memory", "words of 8 bytes did not hold"),
        ("killed", "work", "GPU 1: the worker was ended by SIGKILL"),
        ("dies", "work", "GPU 1: the worker ended with 1: Segmentation fault of something"),
        ("out-of-memory", "work", "GPU 1: out of memory: OutOfMemoryError: CUDA out of memory"),
        ("hangs", "work", "GPU 1: the worker said nothing for 1 s"),
    ],
)
def test_a_fault_of_one_gpu_is_said_of_that_one(start: Start, fault: str, check: str, measured: str) -> None:
    told = machines.answers(2, gpu0=BUSY, gpu1=BUSY)
    arguments = ("burn-in", "--minutes", "0.05", "--json", "--patience", "1")
    found = answer(start(told, *arguments, faults={uuid(1): fault}))
    assert (found["verdict"], found["code"]) == ("failed", 2)
    assert found["checks"][check]["status"] == "failed"
    assert measured in found["checks"][check]["measured"]
    assert "GPU 0" not in found["checks"][check]["measured"]
    assert found["checks"][check]["fix"]


@pytest.mark.parametrize(
    ("changed", "check", "status", "measured"),
    [
        ({"temperature": 90}, "temperature", "failed", "up to 90 °C, it slows down at 90 °C"),
        ({"temperature": 86}, "temperature", "warning", "up to 86 °C"),
        ({"reasons": "0x20"}, "clocks", "warning", "heat (software slowdown) in 100 % of the time"),
        ({"utilisation": 40}, "load", "warning", "40 % busy"),
        ({"generation": 1}, "link", "warning", "PCIe 1 ×16 under load, card and slot can PCIe 4 ×16"),
        ({"width": 4}, "link", "warning", "PCIe 4 ×4 under load, card and slot can PCIe 4 ×16"),
    ],
)
def test_what_the_driver_says_during_the_load(
    start: Start, changed: dict[str, object], check: str, status: str, measured: str
) -> None:
    found = answer(start(machines.answers(2, gpu0=BUSY, gpu1={**BUSY, **changed}), *BRIEF))
    assert found["checks"][check]["status"] == status
    assert f"GPU 1: {measured}" in found["checks"][check]["measured"]


def test_only_errors_that_are_new_count(start: Start, root: Path) -> None:
    old = "echo 'NVRM: Xid (PCI:0000:01:00): 13, old'"
    new = "echo 'NVRM: Xid (PCI:0000:02:00): 79, GPU has fallen off the bus.'"
    machines.program(root, "dmesg", f"{old}; test -e {root}/again && {new}; : > {root}/again")
    told = machines.answers(2, gpu0={**BUSY, "uncorrected": 5}, gpu1=BUSY)
    found = answer(start(told, *BRIEF))
    assert found["checks"]["errors"]["status"] == "failed"
    assert "Xid 79" in found["checks"]["errors"]["measured"]
    assert "Xid 13" not in found["checks"]["errors"]["measured"]
    assert "uncorrected" not in found["checks"]["errors"]["measured"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_burn_in_that_is_stopped_gives_the_report_so_far(
    start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    page = tmp_path / "report.html"
    told = machines.answers(2, gpu0=BUSY, gpu1=BUSY)
    process = start(told, "burn-in", "--minutes", "10", "--json", "--report", str(page))
    time.sleep(4)
    process.send_signal(number)
    process.send_signal(number)
    found = answer(process)
    assert (found["code"], found["interrupted"], found["verdict"]) == (128 + number, True, "ok")
    assert "of 10:00, then it was stopped" in found["checks"]["work"]["measured"]
    text = page.read_text()
    assert text.count("<polyline") == 2 * 4
    assert not any(word in text for word in ("src=", "href=", "url("))


def test_no_worker_outlives_a_doctor_that_was_killed(start: Start, tmp_path: Path) -> None:
    process = start(machines.answers(1, gpu0=BUSY), "burn-in", "--minutes", "10")
    time.sleep(3)
    workers = subprocess.run(["pgrep", "-f", str(tmp_path / "python")], stdout=subprocess.PIPE, text=True)
    process.kill()
    process.wait()
    time.sleep(0.5)
    left = subprocess.run(
        ["pgrep", "-f", f"^[^ ]*python[^ ]* {tmp_path / 'python'}"], stdout=subprocess.PIPE, text=True
    )
    assert workers.stdout
    assert not left.stdout


def test_what_is_missing_is_one_line_before_anything_starts(start: Start, tmp_path: Path) -> None:
    for told, arguments, faults, said in (
        (machines.answers(0), (), {}, "there is no GPU in the driver"),
        (machines.answers(1), (), {"": "no-pytorch"}, "has no PyTorch"),
        (machines.answers(1), ("--report", "/nowhere/report.html"), {}, "--report: /nowhere/report.html"),
    ):
        process = start(told, "burn-in", *arguments, faults=faults)
        printed, complaint = process.communicate(timeout=20)
        assert (process.returncode, printed) == (2, "")
        assert said in complaint
        assert len(complaint.splitlines()) == 1
