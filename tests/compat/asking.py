"""Requests as people make them, in one line."""

from __future__ import annotations

from rigforge.compat.constraints import Component, Constraint, parse_constraint
from rigforge.compat.gpu import find
from rigforge.compat.solution import Request, Solution, find_solution
from rigforge.compat.solve import Prefer

BOOKWORM = Constraint("archives", "the drivers of Debian 12", ("535.261.03", "535.309.01"))
TRIXIE = Constraint("archives", "the drivers of Debian 13", ("550.163.01",), (("550.163.01", "open"),))
NOBLE = Constraint("archives", "the driver of Ubuntu 24.04", ("580.178.04",))


def ask(*gpus: str, prefer: Prefer = "newest", archives: Constraint | None = None, **wishes: str) -> Solution:
    """Returns the answer for cards as people type them; `wishes` are components and versions."""
    components: dict[str, Component] = {
        "pytorch": "pytorch",
        "cuda": "cuda",
        "cudnn": "cudnn",
        "driver": "driver",
        "python": "python",
        "provider": "provider",
    }
    named = [parse_constraint(components[component], text) for component, text in wishes.items()]
    return find_solution(Request(tuple(map(find, gpus)), tuple(filter(None, [archives, *named])), prefer))


def short(found: Solution) -> str:
    """Returns an answer as one line: verdict, driver, module, CUDA, PyTorch."""
    chosen = found.combination
    if not chosen:
        return "impossible"
    driver = chosen.driver
    return f"{found.verdict} {driver.branch.name} {driver.module} {chosen.wheel.build.cuda} {chosen.wheel.shown}"
