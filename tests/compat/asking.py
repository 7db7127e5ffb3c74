"""Requests as people make them, in one line."""

from __future__ import annotations

from rigforge.compat.answer import Answer, Request, answer
from rigforge.compat.gpu import find
from rigforge.compat.solve import Prefer
from rigforge.compat.wishes import Component, Wish, wish

BOOKWORM = Wish("archives", "the drivers of Debian 12", ("535.261.03", "535.309.01"))
TRIXIE = Wish("archives", "the drivers of Debian 13", ("550.163.01",), (("550.163.01", "open"),))
NOBLE = Wish("archives", "the driver of Ubuntu 24.04", ("580.178.04",))


def ask(*gpus: str, prefer: Prefer = "newest", archives: Wish | None = None, **wishes: str) -> Answer:
    """Returns the answer for cards as people type them; `wishes` are components and versions."""
    components: dict[str, Component] = {
        "pytorch": "pytorch",
        "cuda": "cuda",
        "cudnn": "cudnn",
        "driver": "driver",
        "python": "python",
        "provider": "provider",
    }
    named = [wish(components[component], text) for component, text in wishes.items()]
    return answer(Request(tuple(map(find, gpus)), tuple(filter(None, [archives, *named])), prefer))


def short(found: Answer) -> str:
    """Returns an answer as one line: verdict, driver, module, CUDA, PyTorch."""
    chosen = found.combination
    if not chosen:
        return "impossible"
    driver = chosen.driver
    return f"{found.verdict} {driver.branch.name} {driver.module} {chosen.wheel.build.cuda} {chosen.wheel.shown}"
