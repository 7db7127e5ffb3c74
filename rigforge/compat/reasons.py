"""Answers in words: why each thing was chosen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from rigforge.compat.rules import Driver, Wheel, needs_open, violations
from rigforge.compat.solution import Request, Solution
from rigforge.compat.solve import everything
from rigforge.compat.tables import tables

_KINDS = {"lts": "long-term branch", "production": "production branch", "new-feature": "new-feature branch"}


@dataclass(frozen=True)
class Reason:
    """One thing that was chosen, and why."""

    component: str
    choice: str
    why: str

    def __str__(self) -> str:
        return f"{self.component} {self.choice}: {self.why}"


def reasons(answer: Solution) -> tuple[Reason, ...]:
    """Returns the reasons for all that was chosen; nothing for what is impossible."""
    if not answer.combination:
        return ()
    driver, wheel, python = answer.combination.driver, answer.combination.wheel, answer.combination.python
    build, kernel = wheel.build, answer.request.kernel
    wish = {wish.component: wish for wish in answer.request.wishes}
    origin = f"what PyTorch {wheel.shown} is made with"
    return (
        Reason("driver", driver.version, _why_driver(answer, driver, wheel)),
        Reason("kernel module", driver.module, _why_module(answer.request, driver)),
        *(
            [Reason("kernel", kernel, "as the stack has it; the lock has the one that the driver is for")]
            if kernel
            else []
        ),
        Reason("CUDA", str(build.cuda), origin + _assumed(wheel, "cuda")),
        Reason("cuDNN", str(build.cudnn), _why_cudnn(origin, wheel) + _assumed(wheel, "cudnn")),
        Reason("PyTorch", wheel.shown, _why_pytorch(answer, wheel)),
        Reason("Python", python, str(wish["python"]) if "python" in wish else _why_python(wheel, python)),
    )


def _why_driver(answer: Solution, driver: Driver, wheel: Wheel) -> str:
    release = tables().release_of(wheel.build.cuda)
    major = tables().major_of(wheel.build.cuda)
    assert release and major, "what was chosen is in the tables"
    if answer.verdict == "native":
        why = f"native for CUDA {wheel.build.cuda}, which was released with driver {release.driver}"
    else:
        floor = f"CUDA {major.version} needs {major.driver} or later, and this one is native from {release.driver} on"
        why = f"runs CUDA {wheel.build.cuda} by minor-version compatibility: {floor}"
    return f"{why}; {_KINDS[driver.branch.kind]}{_support(driver)}"


def _support(driver: Driver) -> str:
    branch = driver.branch
    if not branch.supported(tables().as_of):
        return f", support by NVIDIA ended {branch.end}" if branch.end else ", support by NVIDIA has ended"
    return f", supported until {branch.end}" if branch.end else ""


def _why_module(request: Request, driver: Driver) -> str:
    modules, gpus = tables().modules, request.gpus
    old = [gpu.name for gpu in gpus if gpu.capability < modules.open_from]
    new = [gpu.name for gpu in gpus if needs_open(modules, gpu)]
    if old:
        return f"the open one does not drive the {old[0]}"
    if new:
        return f"no other drives the {new[0]}"
    if any((driver.version, "open") in wish.broken for wish in request.wishes):
        return "the open one does not compile for the kernel of these archives"
    if driver.module == driver.branch.module:
        return f"what NVIDIA recommends for branch {driver.branch.name}"
    return "as the wish or the archives have it"


def _why_cudnn(origin: str, wheel: Wheel) -> str:
    row = tables().cudnn_of(wheel.build.cudnn, wheel.build.cuda)
    if row and wheel.build.cudnn.release[:3] > row.confirmed.release:
        return f"{origin}; NVIDIA's matrices were read up to {row.confirmed}, whose rules are taken for it"
    return origin


def _assumed(wheel: Wheel, component: str) -> str:
    """Returns, in words, that nobody has read a version from the wheel; "" where somebody has."""
    if component not in wheel.build.assumed:
        return ""
    return f"; taken from the other wheels of {wheel.version}, not read from this one"


def _why_pytorch(answer: Solution, wheel: Wheel) -> str:
    request, facts = answer.request, tables()
    wished = [str(wish) for wish in request.wishes if wish.component in ("pytorch", "cuda", "cudnn", "provider")]
    why = f"the newest for {_and(wished)}" if wished else "the newest that works here"
    newer = [each for each in everything(facts, ()).wheels if each.version > wheel.version]
    if wished or not newer:
        return why
    assert answer.combination, "reasons are asked for of what was chosen"
    next_one = min(newer, key=lambda each: (each.version, each.build.index != "pypi"))
    in_its_place = replace(answer.combination, wheel=next_one)
    broken = violations(facts, in_its_place, request.gpus)
    return f"{why}; not newer: {broken[0]}" if broken else why


def _why_python(wheel: Wheel, python: str) -> str:
    pythons = wheel.build.python
    return f"PyTorch has wheels for {pythons[0]} to {pythons[-1]}; other wheels lag behind the newest"


def _and(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
