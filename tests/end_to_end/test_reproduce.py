"""A lock gives the bytes that are on record, and two builds of it the same, the second under other conditions."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from chain import OUT, rigforge, usable

from rigforge import artifacts, console
from rigforge.lock.model import read
from rigforge.reproduce import contents, record
from rigforge.reproduce.rebuild import SITE
from rigforge.stack.load import load
from rigforge.stack.model import Stack


@pytest.mark.build
def test_a_build_gives_the_bytes_on_record(tmp_path: Path) -> None:
    """Another build made the record, in another place; for a new lock there is none, so two builds are compared."""
    found = usable("smoke", tmp_path)
    stack = load(found)
    if found != "smoke":
        compare_two_builds(stack)
        return
    out = OUT / "recorded"
    shutil.rmtree(out, ignore_errors=True)
    for artifact in artifacts.of(read(stack.lock_path)):
        site = ("--site", SITE) if artifact.of_site else ()
        rigforge(artifact.task, "--stack", found, *site, "--out", out / artifact.folder)
    assert record.recorded(contents.digests(out)) == record.read(record.path(stack.lock_path))


@pytest.mark.full
@pytest.mark.parametrize("name", ["smoke", "debian-12"])
def test_two_builds_give_the_same_bytes(name: str, tmp_path: Path) -> None:
    found = usable(name, tmp_path)
    stack = load(found)
    first = compare_two_builds(stack)
    if found != name:
        console.say(f"{name}: a new lock gives other bytes than those on record, so only its two builds were compared")
        return
    assert record.recorded(first) == record.read(record.path(stack.lock_path))


def compare_two_builds(stack: Stack) -> dict[str, str]:
    """Fails where two builds differ; returns the sha256 (hex) of each artifact."""
    table = json.loads(rigforge("reproduce", "--stack", stack.path, "--out", OUT / "reproduce", "--json"))
    assert {part: row for part, row in table.items() if not row["same"]} == {}
    assert f"rigforge-{stack.name}.iso:live/host.squashfs" in table
    return {part: row["first"] for part, row in table.items()}
