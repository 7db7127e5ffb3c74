"""The tables against the snapshot of what PyPI, the archives and the PCI ID list said: without a network."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from rigforge.compat.gpu import by_pci
from rigforge.compat.tables import tables
from rigforge.facts import pci_ids, snapshot
from rigforge.facts.compare import differences


def test_no_table_disagrees_with_what_was_seen() -> None:
    found = differences(tables(), snapshot.load(), snapshot.places())
    assert [str(each) for each in found if each.kind == "disagrees"] == []


def test_what_is_known_to_be_wrong_elsewhere_is_still_so() -> None:
    """Else its row in places.toml has outlived its reason."""
    without = {**snapshot.places(), "known": []}
    found = {each.what for each in differences(tables(), snapshot.load(), without)}
    assert {each["what"] for each in snapshot.places()["known"]} <= found


def test_every_card_of_a_known_chip_is_found() -> None:
    listed = pci_ids.from_json(snapshot.load()["pci-ids"]["facts"]["cards"])
    generations = ("GM", "GP", "GV", "TU", "GA", "AD", "GH", "GB20")
    missing = {device: card for device, card in listed.items() if card.chip.startswith(generations)}
    assert [card for device, card in missing.items() if not by_pci(device)] == []
    assert len(missing) > 600


def test_what_nobody_has_looked_at_for_sixty_days_is_told() -> None:
    today = max(date.fromisoformat(each["asked"]) for each in snapshot.load().values())
    assert list(snapshot.unlooked(today, snapshot.load())) == []
    later = list(snapshot.unlooked(today + timedelta(days=61), snapshot.load()))
    assert any(each.startswith("drivers.toml, lifecycle: looked at ") for each in later)
    assert f"pypi: asked {today}" in later
    assert not any(each.startswith("pytorch.toml, metadata") for each in later), "that one is asked"


def test_who_has_looked_at_one_source_again_says_so_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {
        "as_of": date(2026, 1, 1),
        "sources": {"lifecycle": "a page", "readme": "another"},
        "looked": {"lifecycle": date(2026, 5, 1)},
    }
    monkeypatch.setattr(snapshot, "read", lambda name: table if name == "drivers" else {**table, "sources": {}})
    assert list(snapshot.unlooked(date(2026, 6, 1), {})) == ["drivers.toml, readme: looked at 2026-01-01: another"]
