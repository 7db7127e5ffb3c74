"""The tables: every row has a source, and no table contradicts another."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from packaging.version import Version

from rigforge.compat.cuda import OLDEST_DRIVER
from rigforge.compat.gpu import cards, further_cards
from rigforge.compat.tables import compute_capability, read, tables

NAMES = ("drivers", "cuda", "cudnn", "pytorch", "gpus", "chips")


def rows(name: str) -> list[dict[str, Any]]:
    table = read(name)
    lists = [value for value in table.values() if isinstance(value, list)]
    return [*(row for rows in lists for row in rows), *([table["modules"]] if "modules" in table else [])]


@pytest.mark.parametrize("name", NAMES)
def test_every_row_names_its_sources_and_every_source_is_used(name: str) -> None:
    used = {source for row in rows(name) for source in row["source"]}
    assert all(row["source"] for row in rows(name))
    assert used == set(read(name)["sources"])


@pytest.mark.parametrize("name", NAMES)
def test_every_table_says_as_of_when_it_is(name: str) -> None:
    assert read(name)["as_of"].year >= 2026


def test_every_pytorch_is_made_with_a_cuda_and_a_cudnn_that_have_rows() -> None:
    for build in tables().builds:
        assert tables().release_of(build.cuda), build
        assert tables().major_of(build.cuda), build
        assert tables().cudnn_of(build.cudnn, build.cuda), build


def test_no_pytorch_has_code_for_cards_that_its_cuda_or_cudnn_does_not_know() -> None:
    for build in tables().builds:
        release, major = tables().release_of(build.cuda), tables().major_of(build.cuda)
        assert release and major
        for code in build.compute_capability:
            assert major.compute_capability <= code <= release.newest, (build.versions, code)


def test_no_version_of_pytorch_is_twice_in_an_index() -> None:
    named = [(build.index, version) for build in tables().builds for version in build.versions]
    assert len(named) == len(set(named))


def test_a_cuda_release_came_with_a_driver_no_older_than_its_major_versions_oldest() -> None:
    for release in tables().releases:
        major = tables().major_of(release.version)
        assert major and Version(release.driver) >= Version(major.driver)


def test_a_newer_cuda_release_came_with_a_newer_driver() -> None:
    ordered = sorted(tables().releases, key=lambda release: release.version)
    drivers = [Version(release.driver) for release in ordered]
    assert drivers == sorted(drivers)


def test_a_driver_branch_is_native_for_the_cuda_that_it_names() -> None:
    for branch in tables().branches:
        release = tables().release_of(Version(f"{branch.cuda}.0"))
        if release:  # of 11.4 no release is in the table, and 13.4 was released without a driver
            assert Version(branch.latest) >= Version(release.driver), branch.name


def test_driver_branches_have_their_own_versions_and_are_in_order() -> None:
    names = [branch.name for branch in tables().branches]
    assert names == sorted(names, key=int)
    assert all(branch.latest.startswith(f"{branch.name}.") for branch in tables().branches)


def test_a_driver_newer_than_the_open_modules_recommends_them() -> None:
    assert {branch.module for branch in tables().branches if int(branch.name) >= 560} == {"open"}
    assert {branch.module for branch in tables().branches if int(branch.name) < 560} == {"proprietary"}


def test_what_distributions_offer_is_of_known_branches() -> None:
    for offer in tables().offers:
        assert all(tables().branch_of(driver) for driver in offer.drivers), offer.suite


def test_nvidias_rule_of_thumb_is_the_table() -> None:
    assert OLDEST_DRIVER == {11: "450.80.02", 12: "525.60.13", 13: "580"}


def test_a_cards_compute_capability_is_one_of_its_architecture() -> None:
    architectures = read("gpus")["architectures"]
    for card in (*cards(), *further_cards()):
        assert card.compute_capability in architectures[card.architecture], card.name


def test_no_two_cards_share_a_name_or_a_pci_id() -> None:
    ids = [device for card in (*cards(), *further_cards()) for device in card.pci]
    names = [name.lower() for card in cards() for name in (card.name, *card.aliases)]
    assert len(ids) == len(set(ids))
    assert len(names) == len(set(names))


def test_cards_of_the_open_modules_list_are_of_turing_or_later() -> None:
    for row in read("gpus")["gpu"]:
        if "open-modules" in row["source"]:
            assert compute_capability(row["compute_capability"]) >= tables().modules.open_from, row["name"]


def test_every_card_that_people_buy_is_driven_by_a_branch() -> None:
    for card in cards():
        assert any(branch.drives(card.capability) for branch in tables().branches), card.name


@pytest.mark.parametrize("capability", [(10, 7), (11, 0), (8, 7), (9, 1), (13, 0)])
def test_what_a_branch_does_not_list_it_does_not_drive(capability: tuple[int, int]) -> None:
    """Rubin is 10.7, between the 10.3 and the 12.0 of Blackwell."""
    assert not [branch.name for branch in tables().branches if branch.drives(capability)]


def test_a_branch_drives_what_the_one_before_it_does_but_for_the_oldest_cards() -> None:
    for older, newer in pairwise(tables().branches):
        oldest = newer.compute_capability[0]
        assert {each for each in older.compute_capability if each >= oldest} <= {*newer.compute_capability}, newer.name
        assert list(newer.compute_capability) == sorted(newer.compute_capability)


def test_no_branch_is_missing_between_the_first_and_the_last() -> None:
    """NVIDIA's numbers: those in between were never released for Linux."""
    names = {int(branch.name) for branch in tables().branches}
    never = {475, 480, 485, 490, 500, 505, 540, 585, 600, 605}
    assert names == set(range(450, 621, 5)) - never


@pytest.mark.parametrize(
    ("cuda", "release"),
    [
        ("12.8.90", "12.8.1"),
        ("13.0.96", "13.0.2"),
        ("13.0.3", "13.0.3"),
        ("12.6.77", "12.6.2"),
        ("13.2.2", "13.2.2"),
        ("12.1.105", "12.1.1"),
        ("11.7.99", "11.7.1"),
        ("13.6.0", None),
    ],
)
def test_a_cuda_is_found_by_toolkit_and_by_cudart(cuda: str, release: str | None) -> None:
    found = tables().release_of(Version(cuda))
    assert (found and str(found.version)) == release


@pytest.mark.parametrize(
    ("cudnn", "cuda", "oldest"),
    [
        ("8.5.0.96", "11.7", (3, 5)),
        ("9.10.2.21", "12.8", (5, 0)),
        ("9.11.0.1", "12.9", (7, 5)),
        ("9.26.0.51", "13.2", (7, 5)),
    ],
)
def test_a_row_of_cudnn_holds_until_the_next(cudnn: str, cuda: str, oldest: tuple[int, int]) -> None:
    row = tables().cudnn_of(Version(cudnn), Version(cuda))
    assert row and row.compute_capability[0] == oldest
