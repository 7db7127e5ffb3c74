"""What holds for every request: many are drawn by chance, always the same ones."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rigforge.compat.constraints import Component, Constraint, parse_constraint
from rigforge.compat.gpu import cards
from rigforge.compat.rules import violations
from rigforge.compat.solution import Request, Solution, find_solution
from rigforge.compat.tables import tables

WISHES: dict[Component, tuple[str, ...]] = {
    "pytorch": ("2.15", "2.14", "2.10", "2.7", "<2.9", ">=2.12"),
    "cuda": ("13", "12.8", "12", ">=12.6"),
    "driver": ("535", "580", "595", "lts", "580-server", ">=570", "550.163.01"),
    "python": ("3.9", "3.11", "3.12", ">=3.14"),
    "provider": ("pypi", "any"),
}


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Up to three cards, and for each component a wish or none."""
    gpus = draw(st.lists(st.sampled_from(cards()), max_size=3))
    texts = {component: draw(st.none() | st.sampled_from(choices)) for component, choices in WISHES.items()}
    wishes = [parse_constraint(component, text) for component, text in texts.items() if text]
    return Request(tuple(gpus), tuple(filter(None, wishes)), draw(st.sampled_from(("newest", "lts", "native"))))


many = settings(max_examples=150, derandomize=True, database=None, deadline=None)


@many
@given(requests())
def test_every_answer_satisfies_every_table_and_grants_every_wish(request: Request) -> None:
    asked = find_solution(request)
    for found in (asked, *asked.alternatives):
        if chosen := found.combination:
            assert violations(tables(), chosen, found.request.gpus) == ()
            for each in found.request.wishes:
                assert each.allows(chosen.driver) and each.allows(chosen.wheel) and each.allows(chosen.python)


@many
@given(requests())
def test_adding_a_wish_never_makes_possible_what_was_impossible(request: Request) -> None:
    if request.wishes and find_solution(request).combination:
        fewer = Request(request.gpus, request.wishes[:-1], request.prefer)
        assert find_solution(fewer).combination


@many
@given(requests())
def test_the_order_of_cards_and_wishes_does_not_matter(request: Request) -> None:
    backwards = Request(request.gpus[::-1], request.wishes[::-1], request.prefer)
    assert find_solution(request).combination == find_solution(backwards).combination


@many
@given(requests())
def test_a_conflict_has_nothing_that_is_not_needed_for_it(request: Request) -> None:
    found = find_solution(request)
    if not found.combination:
        assert not _alone(found, found.conflict).combination
        for part in found.conflict:
            assert _alone(found, tuple(each for each in found.conflict if each is not part)).combination


@many
@given(requests())
def test_alternatives_work_and_leave_out_no_more_than_they_must(request: Request) -> None:
    found = find_solution(request)
    for each in found.alternatives:
        assert each.combination
        kept = {*each.request.parts}
        for part in set(found.request.parts) - kept:
            more = _alone(found, tuple(p for p in found.request.parts if p in kept or p == part))
            assert not more.combination


def _alone(found: Solution, parts: tuple[object, ...]) -> Solution:
    gpus = tuple(gpu for gpu in found.request.gpus if gpu in parts)
    wishes = tuple(each for each in found.request.wishes if isinstance(each, Constraint) and each in parts)
    return find_solution(Request(gpus, wishes, found.request.prefer))
