"""Requests: of the command line, of a stack, or of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

from rigforge.compat.constraints import Component, Constraint, parse_constraint
from rigforge.compat.gpu import Gpu, find
from rigforge.compat.solution import Request
from rigforge.compat.solve import Prefer
from rigforge.compat.tables import tables
from rigforge.errors import RigforgeError, UsageError
from rigforge.stack.model import Stack

#: The components that a stack's sections can name a version of.
_OF_STACKS: tuple[Component, ...] = ("pytorch", "cuda", "cudnn", "driver", "python")


def build_request(
    gpus: Sequence[str], wishes: Mapping[Component, str], stack: Stack | None = None, prefer: str = "newest"
) -> Request:
    """Returns what is asked for; what the command line names comes before what the stack says of the same thing.

    Raises RigforgeError for cards that nobody knows and for wishes that are none.
    """
    if prefer not in get_args(Prefer):
        raise UsageError(f"--prefer {prefer} is not known", f"it is one of: {', '.join(get_args(Prefer))}")
    cards = tuple(find(text) for text in gpus)
    constraints = {component: parse_constraint(component, text) for component, text in wishes.items() if text}
    if not stack:
        return Request(cards, tuple(filter(None, constraints.values())), prefer)  # type: ignore[arg-type]
    of_stack = {component: constraint for component in _OF_STACKS if (constraint := _of_stack(stack, component))}
    index = parse_constraint("provider", stack.pytorch.provider) if stack.pytorch.provider == "pypi" else None
    together = {"archives": archives(stack), "provider": index, **of_stack, **constraints}
    return Request(
        cards or _cards(stack),
        tuple(filter(None, together.values())),
        prefer,  # type: ignore[arg-type]
        stack.kernel.package,
    )


def archives(stack: Stack, drivers: Sequence[str] = ()) -> Constraint | None:
    """Returns the wish to make do with the drivers that a stack's archives have.

    These are the versions `drivers` or, where none are given, what the table says of the distribution; None where it
    says nothing, or the stack's driver is not from there.
    """
    if not stack.driver.source.of_release:
        return None
    system = stack.system
    facts = tables()
    release = (system.distribution, system.suite)
    offers = [each.drivers for each in facts.offers if (each.distribution, each.suite) == release]
    broken = [(each.driver, each.module) for each in facts.broken if (each.distribution, each.suite) == release]
    names = drivers or (offers[0] if offers else ())
    versions = [name if "." in name else branch.latest for name in names if (branch := facts.branch_of(name))]
    if not versions:
        return None
    origin = f"the drivers in the archives of {system.distribution} {system.suite}"
    return Constraint("archives", origin, tuple(versions), tuple(broken))


def _of_stack(stack: Stack, component: Component) -> Constraint | None:
    section = getattr(stack, component)
    if getattr(section, "provider", "") == "none":
        return None
    # The distribution's own modules are told by the version, or there is but one.
    module = f"-{stack.driver.module}" if component == "driver" and stack.driver.source.module_choice else ""
    return parse_constraint(component, f"{section.version}{module}", f"stack {stack.name}: [{component}] version")


def _cards(stack: Stack) -> tuple[Gpu, ...]:
    origin = f"stack {stack.name}: [gpu] models"
    try:
        cards = tuple(find(text) for text in stack.gpu.models)
    except RigforgeError as error:
        raise RigforgeError(f"{origin}: {error.message}", error.hint) from error
    for card in cards:
        if card.processor not in ("", stack.system.architecture):
            raise RigforgeError(
                f"{origin}: {card.name} is built together with a processor of {card.processor}, "
                f"and the stack is for {stack.system.architecture}",
                f"take it out; its machine starts nothing that is made for {stack.system.architecture}",
            )
    return cards
