"""Each step keeps the seconds it took with what it made, and what is older is told as not measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rigforge import namespace
from rigforge.artifacts.artifact import Step
from rigforge.images import blob
from rigforge.images.container import pack
from rigforge.layers.build import Cache, build, built_in, keep_seconds, squash, squashed
from rigforge.layers.plan import Layer
from rigforge.records.file import LockedFile
from rigforge.report.timing import of_downloads, steps
from rigforge.store.store import Store

LAYER = Layer("base", None, (), 1_700_000_000)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """A cache with one layer, built before seconds were kept."""
    made = Cache(tmp_path)
    (made.rootfs(LAYER) / "etc").mkdir(parents=True)
    (made.rootfs(LAYER) / "etc/hostname").write_text("gpu1\n")
    return made


def test_a_squashfs_knows_how_long_it_took(cache: Cache) -> None:
    made = squash(LAYER, cache, 1)
    assert made.seconds is not None and 0 < made.seconds < 60
    assert squash(LAYER, cache, 1) == squashed(LAYER, cache, 1) == made


def test_a_squashfs_of_before_is_used_and_not_measured(cache: Cache) -> None:
    facts = cache.squashfs(LAYER, 1).with_suffix(".json")
    facts.parent.mkdir()
    facts.write_text(json.dumps({"sha256": "ab", "content_bytes": 4096}))
    assert squash(LAYER, cache, 1).seconds is None
    assert steps([LAYER], cache, 1) == (Step("layer base", None), Step("squashfs base", None))


def test_a_layer_knows_how_long_it_took_beside_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def recipe(function: str, request: Mapping[str, Any], *, log: Path) -> None:
        Path(request["directory"], "rootfs").mkdir()

    monkeypatch.setattr(namespace, "call", recipe)
    cache = Cache(tmp_path)
    build(LAYER, Store(tmp_path / "store"), cache)
    assert {path.name for path in cache.layer(LAYER).iterdir()} == {"rootfs", "made.json"}
    assert built_in(LAYER, cache) is not None


def test_a_layer_that_is_not_there_is_no_step(tmp_path: Path) -> None:
    assert steps([LAYER], Cache(tmp_path), 1) == ()


def test_the_time_of_a_fetch_is_shared_by_bytes_and_the_last_one_counts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    fetches = [
        {"seconds": 100.0, "files": {"a" * 64: 1}},
        {"seconds": 8.0, "files": {"a" * 64: 30, "of another stack": 10}},
    ]
    (tmp_path / "fetches.jsonl").write_text("".join(json.dumps(fetch) + "\n" for fetch in fetches))
    aa = LockedFile("base", "deb", "a", "1", "debian:a.deb", 30, "a" * 64)
    bb = LockedFile("base", "deb", "b", "1", "debian:b.deb", 30, "b" * 64)
    assert of_downloads([aa], store) == Step("fetching", 6.0)
    assert of_downloads([aa, bb], store) == Step("fetching 1 of 2 files", 6.0)
    assert of_downloads([bb], store) == Step("fetching", None)


def test_the_tar_of_a_layer_knows_how_long_it_took_by_its_digest(cache: Cache) -> None:
    tar = pack(LAYER, cache, "zstd")
    assert tar.seconds is not None
    assert blob.seconds(cache.directory / "blobs") == {tar.digest: tar.seconds}


def test_blobs_of_before_and_configurations_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a-zstd.json").write_text(json.dumps({"digest": "sha256:a", "size": 1}))
    (tmp_path / "b-zstd.config.json").write_text(json.dumps({"Cmd": ["bash"]}))
    assert blob.seconds(tmp_path) == {}


def test_seconds_are_added_to_what_is_known(tmp_path: Path) -> None:
    facts = tmp_path / "facts.json"
    facts.write_text(json.dumps({"sha256": "ab"}))
    keep_seconds(facts, 12.3456)
    assert json.loads(facts.read_text()) == {"sha256": "ab", "seconds": 12.3}
    assert list(tmp_path.iterdir()) == [facts]
