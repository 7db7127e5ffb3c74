"""The beginning of a stack of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from invoke.context import Context

from rigforge.cli import task
from rigforge.errors import RigforgeError


@task(
    iterable=["gpu"],
    help={
        "out": "file to write (default: stack.toml)",
        "gpu": 'card that the machines have ("RTX 5090"); may be given several times (default: those of the stack '
        "that it extends)",
        "stack": "stack to extend: a name from `stacks` (default: the first, in the order of preference, that drives "
        "the cards)",
    },
)
def init(context: Context, out: str = "stack.toml", gpu: Sequence[str] | None = None, stack: str = "") -> None:
    """
    Write a first stack file of your own, to change and to build.

    Example: invoke init --gpu "RTX 5090"
    """
    from rigforge import atomic, console, paths
    from rigforge.compat.gpu import find
    from rigforge.compat.request import build_request
    from rigforge.compat.solution import find_solution
    from rigforge.stack import first
    from rigforge.stack.choose import preference
    from rigforge.stack.load import load, names

    place = Path(out)
    if place.exists():
        raise RigforgeError(f"{place} is there already", "name another file: --out mine.toml")
    place.parent.mkdir(parents=True, exist_ok=True)
    if stack and stack not in names():
        raise RigforgeError(f'there is no stack "{stack}" to extend', f"stacks: {', '.join(names())}")
    cards = [find(text).name for text in gpu or ()]
    for name in [stack] if stack else preference():
        parent = load(name)
        if find_solution(build_request(cards, {}, parent)).combination:
            break
    else:
        raise RigforgeError(
            f"no stack here drives {', '.join(cards)}" if not stack else f"{stack} does not drive {', '.join(cards)}",
            "explain --gpu NAME says what they need; docs/stack.md how a stack asks for it",
        )
    atomic.write(place, first.text(parent, cards), 0o644)
    program = "./bootstrap" if paths.CHECKOUT else "rigforge"
    console.say(f"It extends {parent.name} ({parent.description}). Change it, then:")
    console.say(f"  {program} build-iso --stack {place}")
    print(f"stack: {place}")
