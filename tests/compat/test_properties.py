"""What holds for every request: many are drawn by chance, always the same ones."""

from __future__ import annotations

import random

import pytest

from rigforge.compat.answer import Answer, Request, answer
from rigforge.compat.gpu import cards
from rigforge.compat.rules import violations
from rigforge.compat.solve import Prefer
from rigforge.compat.tables import tables
from rigforge.compat.wishes import Component, Wish, wish

WISHES: list[tuple[Component, tuple[str, ...]]] = [
    ("pytorch", ("2.15", "2.14", "2.10", "2.7", "<2.9", ">=2.12")),
    ("cuda", ("13", "12.8", "12", ">=12.6")),
    ("driver", ("535", "580", "595", "lts", "580-server", ">=570", "550.163.01")),
    ("python", ("3.9", "3.11", "3.12", ">=3.14")),
    ("provider", ("pypi", "any")),
]


def drawn(seed: int) -> Request:
    chance = random.Random(seed)
    gpus = chance.choices(cards(), k=chance.randint(0, 3))
    wishes = [wish(component, chance.choice(texts)) for component, texts in WISHES if chance.random() < 0.4]
    prefer: Prefer = chance.choice(("newest", "lts", "native"))
    return Request(tuple(gpus), tuple(filter(None, wishes)), prefer)


SEEDS = range(150)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_answer_satisfies_every_table_and_grants_every_wish(seed: int) -> None:
    for found in (answer(drawn(seed)), *answer(drawn(seed)).alternatives):
        if chosen := found.combination:
            assert violations(tables(), chosen, found.request.gpus) == ()
            for each in found.request.wishes:
                assert each.allows(chosen.driver) and each.allows(chosen.wheel) and each.allows(chosen.python)


@pytest.mark.parametrize("seed", SEEDS)
def test_adding_a_wish_never_makes_possible_what_was_impossible(seed: int) -> None:
    request = drawn(seed)
    if request.wishes and answer(request).combination:
        fewer = Request(request.gpus, request.wishes[:-1], request.prefer)
        assert answer(fewer).combination


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_cards_and_wishes_does_not_matter(seed: int) -> None:
    request = drawn(seed)
    backwards = Request(request.gpus[::-1], request.wishes[::-1], request.prefer)
    assert answer(request).combination == answer(backwards).combination


@pytest.mark.parametrize("seed", SEEDS)
def test_a_conflict_has_nothing_that_is_not_needed_for_it(seed: int) -> None:
    found = answer(drawn(seed))
    if not found.combination:
        assert not _alone(found, found.conflict).combination
        for part in found.conflict:
            assert _alone(found, tuple(each for each in found.conflict if each is not part)).combination


@pytest.mark.parametrize("seed", SEEDS)
def test_alternatives_work_and_leave_out_no_more_than_they_must(seed: int) -> None:
    found = answer(drawn(seed))
    for each in found.alternatives:
        assert each.combination
        kept = {*each.request.parts}
        for part in set(found.request.parts) - kept:
            more = _alone(found, tuple(p for p in found.request.parts if p in kept or p == part))
            assert not more.combination


def _alone(found: Answer, parts: tuple[object, ...]) -> Answer:
    gpus = tuple(gpu for gpu in found.request.gpus if gpu in parts)
    wishes = tuple(each for each in found.request.wishes if isinstance(each, Wish) and each in parts)
    return answer(Request(gpus, wishes, found.request.prefer))
