"""The answer to a request: the best set that works, or which wishes contradict each other and what would do instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Literal

from rigforge.compat.constraints import Constraint
from rigforge.compat.gpu import Gpu
from rigforge.compat.rules import Combination, runs
from rigforge.compat.solve import Choice, Part, Prefer, allowed, best, everything, left, working, works
from rigforge.compat.tables import tables

#: As many parts of a request are left out at once, at most, to find all that works in its place. Where nothing does,
#: more of them are.
LEFT_OUT = 3
#: As many alternatives are told.
ALTERNATIVES = 4


@dataclass(frozen=True)
class Request:
    """A request: cards, wishes, and which of the sets that work is liked best.

    `kernel` is the package of the kernel that the driver is for, where a stack says it.
    """

    gpus: tuple[Gpu, ...]
    wishes: tuple[Constraint, ...] = ()
    prefer: Prefer = "newest"
    kernel: str = ""

    @property
    def parts(self) -> tuple[Part, ...]:
        """Wishes and cards, of cards that need the same the first."""
        cards = {gpu.needs: gpu for gpu in reversed(self.gpus)}
        return (*(gpu for gpu in self.gpus if cards[gpu.needs] is gpu), *self.wishes)

    def without(self, parts: Sequence[Part]) -> Request:
        """Returns the request without some of its parts; a card goes with all that need the same."""
        cards = {part.needs for part in parts if isinstance(part, Gpu)}
        return Request(
            tuple(gpu for gpu in self.gpus if gpu.needs not in cards),
            tuple(wish for wish in self.wishes if wish not in parts),
            self.prefer,
            self.kernel,
        )


@dataclass(frozen=True)
class Solution:
    """A request's answer: a combination, or else a conflict.

    `conflict` is the smallest part of the request that cannot be had together. `alternatives` answer the request
    without some of its parts, the nearest first.
    """

    request: Request
    combination: Combination | None
    conflict: tuple[Part, ...] = ()
    alternatives: tuple[Solution, ...] = ()

    @property
    def verdict(self) -> Literal["native", "minor-compat", "impossible"]:
        """Whether the driver is of the CUDA release or newer, only of its major version, or nothing works."""
        if not self.combination:
            return "impossible"
        return runs(tables(), self.combination.driver, self.combination.wheel) or "impossible"


def find_solution(request: Request) -> Solution:
    """Returns the answer to a request."""
    facts, parts = tables(), request.parts
    everything_there = everything(facts, parts)
    leaves = [allowed(facts, part, everything_there) for part in parts]

    def choice(numbers: Sequence[int]) -> Choice:
        return left((leaves[n] for n in numbers), everything_there)

    def work(numbers: Sequence[int]) -> bool:
        return works(facts, choice(numbers), everything_there)

    combination = best(facts, working(facts, choice(range(len(parts)))), request.prefer)
    if combination:
        return Solution(request, combination)
    conflict = _smallest_conflict(len(parts), work)
    alternatives = [
        Solution(request.without(dropped), best(facts, working(facts, choice(subset)), request.prefer))
        for subset, dropped in islice(_nearest(parts, work), ALTERNATIVES)
    ]
    return Solution(request, None, tuple(parts[n] for n in conflict), tuple(alternatives))


def _smallest_conflict(count: int, works: Callable[[Sequence[int]], bool]) -> tuple[int, ...]:
    """Returns the smallest subset of `count` parts that does not work, given that all of them do not."""
    for size in (1, 2, 3):
        for chosen in combinations(range(count), size):
            if not works(chosen):
                return chosen
    # Larger ones are rare; leaving out what is not needed for the conflict finds one of which all is needed.
    needed = list(range(count))
    for each in range(count):
        rest = [n for n in needed if n != each]
        if not works(rest):
            needed = rest
    return tuple(needed)


def _nearest(
    parts: tuple[Part, ...], works: Callable[[Sequence[int]], bool]
) -> Iterator[tuple[Sequence[int], tuple[Part, ...]]]:
    """Yields the parts kept (by number) and dropped of each request that works with as little dropped as can be.

    Where all cards can be kept, that goes first; never are all of them dropped.
    """
    subsets: list[set[int]] = []
    cards = {number for number, part in enumerate(parts) if isinstance(part, Gpu)}
    for size in range(1, LEFT_OUT + 1):
        for dropped in combinations(range(len(parts)), size):
            subset = [n for n in range(len(parts)) if n not in dropped]
            enough = any(each <= set(dropped) for each in subsets)
            if not enough and not (cards and cards <= set(dropped)) and works(subset):
                subsets.append(set(dropped))
    if not any(cards - each == cards for each in subsets):
        subsets += [each for each in _more_left_out(len(parts), cards, works) if each not in subsets]
    subsets.sort(key=lambda dropped: (len(cards & dropped), len(dropped)))
    for each in subsets:
        yield [n for n in range(len(parts)) if n not in each], tuple(parts[n] for n in sorted(each))


def _more_left_out(count: int, cards: set[int], works: Callable[[Sequence[int]], bool]) -> Iterator[set[int]]:
    """Yields what is dropped of `count` parts where the cards are kept, by number, and of the rest as much as goes.

    What is kept first decides what else can be: once it is the first parts, and once the last.
    """
    if not works(sorted(cards)):
        return
    rest = [n for n in range(count) if n not in cards]
    for order in (rest, rest[::-1]):
        remaining = set(cards)
        for each in order:
            if works(sorted({*remaining, each})):
                remaining.add(each)
        yield set(range(count)) - remaining
