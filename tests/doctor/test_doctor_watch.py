"""The doctor that looks again and again: it asks CUDA where something has changed, or somebody asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rigforge.doctor import __main__ as program
from rigforge.doctor import cuda_driver, nvml
from rigforge.doctor.check import Check, Status
from rigforge.doctor.checks import cuda
from rigforge.doctor.cuda_driver import CudaAnswer
from rigforge.doctor.machine import AnswerCache, Machine
from rigforge.doctor.nvml import Nvml


@pytest.mark.parametrize(
    ("statuses", "pressed", "asked"),
    [
        (["ok", "ok", "ok"], [False, False], [0]),
        (["ok", "ok", "failed", "failed", "failed"], [False] * 4, [0, 3]),
        (["ok", "ok", "ok"], [True, False], [0, 1]),
    ],
)
def test_cuda_is_asked_once_and_again_only_for_a_reason(
    monkeypatch: pytest.MonkeyPatch, statuses: list[Status], pressed: list[bool], asked: list[int]
) -> None:
    looked: list[int] = []
    waits: Iterator[bool] = iter(pressed)
    count = iter(range(len(statuses)))

    def every(machine: Machine) -> tuple[Check, ...]:
        number = next(count)
        if machine.answers.cuda is None:
            machine.answers.cuda = "told"
            looked.append(number)
        return (Check("gpu-bus", statuses[number], "", ""), Check(cuda.CUDA.id, "ok", f"{number}", ""))

    def wait(seconds: float) -> bool:
        answer = next(waits, None)
        if answer is None:
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr(nvml, "read", Nvml)
    monkeypatch.setattr(program, "every", every)
    monkeypatch.setattr(program, "_asked_for", wait)
    assert program.main(["--watch", "--json"]) == 130
    assert looked == asked


def test_what_cuda_answered_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = CudaAnswer({"load": "0", "init": "999"}, "ann")
    asked: list[Machine] = []
    monkeypatch.setattr(cuda, "_why_not", lambda *_: "")
    monkeypatch.setattr(cuda_driver, "ask", lambda machine, *_: asked.append(machine) or told)
    kept = AnswerCache()
    first, second, other = (Machine(Nvml(), tmp_path, answers=each) for each in (kept, kept, AnswerCache()))
    answers = [next(iter(cuda.checks(machine))) for machine in (first, second, other)]
    assert {answer.measured.partition(",")[0] for answer in answers} == {"cuInit answers 999"}
    assert asked == [first, other]
