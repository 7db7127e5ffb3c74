"""Answers as people and programs read them: a table, and JSON."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from rigforge.compat.conflict import conflict
from rigforge.compat.diagnosis import Finding
from rigforge.compat.gpu import Gpu
from rigforge.compat.reasons import reasons
from rigforge.compat.solution import Request, Solution
from rigforge.compat.tables import tables


def as_json(answer: Solution) -> dict[str, Any]:
    """Returns an answer as JSON types; docs/explain.md describes it."""
    chosen = answer.combination
    build = chosen and chosen.wheel.build
    return {
        "verdict": answer.verdict,
        "gpus": [{"name": gpu.name, "compute_capability": gpu.compute_capability} for gpu in answer.request.gpus],
        "driver": chosen
        and {
            "branch": chosen.driver.branch.name,
            "version": chosen.driver.version,
            "module": chosen.driver.module,
        },
        "cuda": build and str(build.cuda),
        "cudnn": build and str(build.cudnn),
        "nccl": (build and build.nccl) or None,
        "pytorch": chosen and {"version": str(chosen.wheel.version), "index": chosen.wheel.build.index},
        "python": chosen and chosen.python,
        "kernel": answer.request.kernel or None,
        "reasons": [str(reason) for reason in reasons(answer)],
        "conflict": list(conflict(answer)),
        "alternatives": [
            {**as_json(each), "without": left_out(answer.request, each.request)} for each in answer.alternatives
        ],
        "prefer": answer.request.prefer,
        "as_of": tables().as_of.isoformat(),
    }


def as_table(answer: Solution) -> Table:
    """Returns an answer as a table for the terminal: what was chosen and why; of what is impossible what would do."""
    return _table(answer) if answer.combination else _alternatives(answer)


def headline(answer: Solution) -> str:
    """Returns an answer in one line."""
    return f"{cards(answer)}: {answer.verdict}"


def cards(answer: Solution) -> str:
    """Returns the names of the cards that an answer is for."""
    return ", ".join(map(named, dict.fromkeys(answer.request.gpus), repeat(answer.request))) or "any card"


def named(gpu: Gpu, request: Request) -> str:
    """Returns a card's name, with how many of it there are where it is several."""
    count = request.gpus.count(gpu)
    return f"{count} × {gpu.name}" if count > 1 else gpu.name


def left_out(before: Request, after: Request) -> list[str]:
    """Returns, in words, what of a request is not in another."""
    cards = dict.fromkeys(gpu.name for gpu in before.gpus if gpu not in after.gpus)
    return [*cards, *(str(wish) for wish in before.wishes if wish not in after.wishes)]


def _table(answer: Solution) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for column in ("", "choice", "why"):
        table.add_column(column, overflow="fold")
    for gpu in dict.fromkeys(answer.request.gpus):
        _add(table, "GPU", named(gpu, answer.request), _card(gpu))
    for reason in reasons(answer):
        _add(table, reason.component, reason.choice, reason.why)
    return table


def _alternatives(answer: Solution) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for column in ("what would work", "driver", "CUDA", "PyTorch", "Python", "verdict"):
        table.add_column(column, overflow="fold")
    for each in answer.alternatives:
        if chosen := each.combination:
            driver = f"{chosen.driver.version} {chosen.driver.module}"
            cuda, without = str(chosen.wheel.build.cuda), " and ".join(left_out(answer.request, each.request))
            _add(table, f"without {without}", driver, cuda, chosen.wheel.shown, chosen.python, each.verdict)
    return table


def _add(table: Table, *cells: str) -> None:
    # As text: a card's name may have brackets, which would be markup.
    table.add_row(*map(Text, cells))


def _card(gpu: Gpu) -> str:
    words = [f"compute capability {gpu.compute_capability}", gpu.architecture]
    words += [f"{gpu.memory:g} GB" if gpu.memory else "", f"{gpu.power} W" if gpu.power else ""]
    words += [f"with a processor of {gpu.processor}: the choice below is for amd64"] if gpu.processor else []
    return ", ".join(filter(None, words))


def as_findings(findings: Iterable[Finding]) -> Table:
    """Returns what was found on a machine as a table for the terminal."""
    table = Table(box=SIMPLE_HEAD)
    for column in ("", "found", "what cures it"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        _add(table, finding.status, finding.message, finding.cure)
    return table
