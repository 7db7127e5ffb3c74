"""bench/gpu on the stand-ins, in seconds: each step runs, all is kept, and nothing on the machine is left changed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.gpu.steps import Done, Machine, Run, Step, steps
from rigforge.paths import PROJECT


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a run has left."""
    folder = tmp_path_factory.mktemp("bench") / "results"
    command = [sys.executable, "-m", "bench.gpu", "--stand-in", "--quick", "--results", folder]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    return folder


def test_every_step_is_run_to_its_end(results: Path) -> None:
    summary = json.loads((results / "summary.json").read_text())
    assert [step["name"] for step in summary["steps"]] == [
        *("nvidia-smi", "doctor", "explain", "burn-in", "tune", "image-tests"),
    ]
    assert all(step["ended"] for step in summary["steps"])


@pytest.mark.parametrize("name", ["doctor", "explain", "burn-in", "tune"])
def test_what_a_step_says_is_kept_as_json(results: Path, name: str) -> None:
    assert json.loads((results / f"{name}.json").read_text())


@pytest.mark.parametrize("name", ["doctor", "burn-in", "tune"])
def test_what_people_read_is_a_page(results: Path, name: str) -> None:
    assert "<html" in (results / f"{name}.html").read_text()


def test_five_power_limits_are_tried_and_none_of_them_lasts(results: Path) -> None:
    (gpu,) = json.loads((results / "tune.json").read_text())["gpus"]
    assert [point["setting"]["value"] for point in gpu["points"]] == [450, 405, 315, 270, 150]
    checks = {check["id"]: check for check in json.loads((results / "tune.json").read_text())["checks"]}
    assert checks["restored"]["status"] == "ok"
    assert checks["applied"]["measured"] == "nothing was made permanent"


def test_the_tests_that_need_a_gpu_are_found(results: Path) -> None:
    assert "test_gpu_computes_what_the_processor_computes" in (results / "image-tests.txt").read_text()


def test_the_page_has_the_machine_the_steps_and_what_is_not_well(results: Path) -> None:
    page = (results / "summary.md").read_text()
    for part in ("NVIDIA GeForce RTX 4090", "driver 580.95.05", "| burn-in | ended with", "- tune: {"):
        assert part in page


@pytest.mark.parametrize(
    ("step", "ended", "how"),
    [
        (Step("quick", ("true",), 5, "out"), True, "ended with 0"),
        (Step("finds", ("false",), 5, "out", (0, 1)), True, "ended with 1"),
        (Step("breaks", ("false",), 5, "out"), False, "ended with 1"),
        (Step("hangs", ("sleep", "60"), 0.2, "out"), False, "cut off after 0 s"),
        (Step("missing", ("/no/such/program",), 5, "out"), False, "not started"),
        (Step("missing", ("/no/such/program",), 5, "out", optional=True), True, "not started"),
    ],
    ids=["ends well", "finds something", "breaks", "hangs", "is missing", "may be missing"],
)
def test_how_a_step_ended_is_told(tmp_path: Path, step: Step, ended: bool, how: str) -> None:
    done = Run(tmp_path).do(step)
    assert (done.ended, how in done.how) == (ended, True), done


def test_what_no_time_is_left_for_is_left_out(tmp_path: Path) -> None:
    run = Run(tmp_path, began=-10_000.0)
    assert run.do(Step("late", ("true",), 5, "out")) == Done("late", None, 0.0, False, "left out: no time was left")


def test_all_together_take_less_than_eight_minutes(tmp_path: Path) -> None:
    """As long as each may take at most, but for those that only look."""
    long = [step for step in steps(Machine("/x/bin/python3", None), tmp_path, quick=False) if step.seconds >= 60]
    assert {step.name for step in long} == {"burn-in", "tune", "image-tests"}
    assert sum(step.seconds for step in long) < 480
