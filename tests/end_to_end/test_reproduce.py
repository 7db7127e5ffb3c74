"""Two builds of a lock, the second from nothing and under other conditions, give the bytes that are on record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from chain import OUT, rigforge, usable

from rigforge import console
from rigforge.reproduce import record
from rigforge.stack.load import load


@pytest.mark.parametrize(
    "name", [pytest.param("smoke", marks=pytest.mark.build), pytest.param("debian-12", marks=pytest.mark.full)]
)
def test_every_byte_is_the_same(name: str, tmp_path: Path) -> None:
    stack = load(usable(name, tmp_path))
    table = json.loads(rigforge("reproduce", "--stack", stack.path, "--out", OUT / "reproduce", "--json"))
    assert {part: row for part, row in table.items() if not row["same"]} == {}
    assert f"rigforge-{name}.iso:live/host.squashfs" in table
    if stack.path != load(name).path:
        console.say(f"{name}: a new lock gives other bytes than those on record, so only its two builds were compared")
        return
    first = {part: row["first"] for part, row in table.items()}
    assert record.recorded(first) == record.read(record.path(stack.lock_path))
