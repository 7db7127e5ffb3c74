"""What goes with what, and why."""

from __future__ import annotations

from collections.abc import Sequence

from invoke.context import Context

from rigforge.cli import task
from rigforge.tasks.parameters import JSON


@task(
    iterable=["gpu"],
    help={
        "gpu": 'card as people type it ("RTX 4090", 10de:2684), or "NAME=8.9" with its compute capability; '
        "may be given several times",
        "stack": "stack whose cards, archives and versions are asked for too: a name from `stacks`, or a TOML file",
        "pytorch": 'version or range of PyTorch, such as 2.14 or ">=2.10"',
        "cuda": "version or range of CUDA",
        "driver": "version, branch (580, 580-open), range or kind (lts, production, new-feature) of the driver",
        "python": "version or range of Python",
        "provider": "where PyTorch may be from: pypi, or any (PyTorch's own index too)",
        "prefer": "of the sets that work: newest (PyTorch), lts (driver with the longest support), native (CUDA)",
        "this-machine": "look at this machine: what is wrong with its driver and PyTorch, and what cures it",
        "interpreter": "with --this-machine: Python in which PyTorch is looked for (default: python3 of PATH)",
        "graph": "HTML file to write, with a picture",
        "json": JSON,
    },
)
def explain(
    context: Context,
    gpu: Sequence[str] | None = None,
    stack: str = "",
    pytorch: str = "",
    cuda: str = "",
    driver: str = "",
    python: str = "",
    provider: str = "",
    prefer: str = "newest",
    this_machine: bool = False,
    interpreter: str = "",
    graph: str = "",
    json: bool = False,
) -> None:
    """
    Say which driver, CUDA, cuDNN, PyTorch and Python go with some cards and wishes, and why.

    The exit code is 1 where none do, and where something is wrong with this machine.

    Example: invoke explain --gpu "RTX 5090" --gpu "RTX 4090" --python 3.12
    """
    import json as to_json
    from dataclasses import asdict, replace
    from pathlib import Path

    from rich.console import Console

    from rigforge import console
    from rigforge.compat import render
    from rigforge.compat.conflict import conflict
    from rigforge.compat.constraints import Component
    from rigforge.compat.diagnosis import diagnose
    from rigforge.compat.inventory import read
    from rigforge.compat.request import build_request
    from rigforge.compat.solution import find_solution
    from rigforge.doctor import nvml
    from rigforge.doctor.checks.compatibility import told_by_driver, without_bus
    from rigforge.doctor.machine import Machine as Seen
    from rigforge.plain import plain
    from rigforge.report import explanation
    from rigforge.stack.load import load

    wishes: dict[Component, str] = {
        "pytorch": pytorch,
        "cuda": cuda,
        "driver": driver,
        "python": python,
        "provider": provider,
    }
    request = build_request(gpu or (), wishes, load(stack) if stack else None, prefer)
    hardware = Seen(nvml.read()) if this_machine else None
    machine = told_by_driver(read(interpreter=interpreter), hardware) if hardware else None
    solution = find_solution(replace(request, gpus=request.gpus or machine.gpus) if machine else request)
    findings = diagnose(machine, bus=not without_bus(hardware)) if machine and hardware else ()
    # Names of cards are the user's words, and no markup.
    terminal = Console(markup=False, emoji=False)
    if json:
        print(to_json.dumps({**render.as_json(solution), "findings": [asdict(item) for item in findings]}, indent=2))
    else:
        if findings:
            terminal.print(render.as_findings(findings))
        if machine and not solution.request.gpus:
            raise SystemExit(1)
        print(plain("\n".join([render.headline(solution), *(f"  {line}" for line in conflict(solution))])))
        if solution.combination or solution.alternatives:
            terminal.print(render.as_table(solution))
    if graph:
        explanation.write(solution, Path(graph))
        console.say(f"picture: {graph}")
    if not solution.combination or any(item.status == "failed" for item in findings):
        raise SystemExit(1)
