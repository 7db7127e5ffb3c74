"""The names that a mistyped one is nearest to."""

from __future__ import annotations

import time

from rigforge.rules.nearest import nearest


def test_the_nearest_come_first_and_no_more_than_asked_for() -> None:
    names = ["storage", "story", "network"]
    assert nearest("storagee", names) == ["storage"]
    assert nearest("storage", names, most=2) == ["storage", "story"]
    assert nearest("story-of", names, cutoff=0.9) == []


def test_a_name_of_a_megabyte_takes_no_longer() -> None:
    start = time.process_time()
    assert nearest("a" * 1_000_000, ["a" * 100, "b"]) == ["a" * 100]
    assert time.process_time() - start < 0.5
