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
    json: bool = False,
) -> None:
    """
    Say which driver, CUDA, cuDNN, PyTorch and Python go with some cards and wishes, and why; exit code 1 where none do.

    Example: invoke explain --gpu "RTX 5090" --gpu "RTX 4090" --python 3.12
    """
    import json as to_json

    from rich.console import Console

    from rigforge.compat import ask, shown
    from rigforge.compat.answer import answer
    from rigforge.compat.conflict import conflict
    from rigforge.compat.wishes import Component
    from rigforge.stack.load import load

    wishes: dict[Component, str] = {
        "pytorch": pytorch,
        "cuda": cuda,
        "driver": driver,
        "python": python,
        "provider": provider,
    }
    found = answer(ask.request(gpu or (), wishes, load(stack) if stack else None, prefer))
    if json:
        print(to_json.dumps(shown.as_json(found), indent=2))
    else:
        print("\n".join([shown.headline(found), *(f"  {line}" for line in conflict(found))]))
        if found.combination or found.alternatives:
            Console().print(shown.as_table(found))
    if not found.combination:
        raise SystemExit(1)
