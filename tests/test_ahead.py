"""What a build has ahead of it: sizes by the lock, a refusal where the disk is too small, times by earlier builds."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from rigforge import ahead, paths
from rigforge.ahead import Ahead, check_disk, of, summary
from rigforge.artifacts.iso import Iso
from rigforge.artifacts.oci_images import OciImages
from rigforge.errors import RigforgeError
from rigforge.lock.model import read
from rigforge.stack.load import load

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RIGFORGE_HOME", str(tmp_path / "home"))
    return paths.home()


@pytest.fixture
def iso() -> Ahead:
    stack = load("debian-12")
    return of(Iso(), stack, read(stack.lock_path))


def test_a_first_build_downloads_what_the_lock_names(iso: Ahead) -> None:
    sizes = {file.sha256: file.size for file in read(load("debian-12").lock_path).files}
    assert iso.download == sum(sizes.values())
    assert [layer.name for layer in iso.layers][:2] == ["base", "cuda"]
    # It became layers of 9.9 GB with squashfs files of 4.8 GB, and an ISO of 4.8 GB.
    assert 13e9 < iso.made < 16e9
    assert 4.5e9 < iso.result < 5.1e9


def test_images_need_no_host(iso: Ahead) -> None:
    stack = load("debian-12")
    images = of(OciImages(), stack, read(stack.lock_path))
    assert "host" not in {layer.name for layer in images.layers}
    assert images.download < iso.download


def test_too_little_disk_is_refused_with_what_is_needed_and_the_cure(
    iso: Ahead, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(50 * 10**9, 40 * 10**9, 10 * 10**9))
    with pytest.raises(RigforgeError, match=r"about 2\d\.\d GB are needed, 10\.0 GB are free") as failure:
        check_disk(iso, tmp_path / "out")
    assert f"{home} and {tmp_path}/out" in failure.value.message
    assert "RIGFORGE_HOME or --out" in failure.value.hint


def test_a_disk_with_room_is_not_refused(iso: Ahead, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(500 * 10**9, 0, 30 * 10**9))
    check_disk(iso, tmp_path / "out")


def test_before_the_first_build_no_time_is_summary(iso: Ahead, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 1})
    assert summary(iso) == (
        "To download: 4.8 GB; on the disk: about 24.2 GB; layers to make: 9, on 2 cores: "
        "how long it takes is not known before the first build here"
    )


def test_the_time_is_that_of_earlier_builds_by_their_bytes(home: Path) -> None:
    (home / "store").mkdir(parents=True)
    (home / "store/fetches.jsonl").write_text(json.dumps({"seconds": 100, "files": {"0" * 64: 10**9}}) + "\n")
    layer = home / "layers/0123"
    layer.mkdir(parents=True)
    (layer / "made.json").write_text(json.dumps({"seconds": 300}))
    stack = load("smoke")
    smoke = of(Iso(), stack, read(stack.lock_path))
    assert smoke.seconds == pytest.approx(0.4 * smoke.download / 1e6, rel=0.05)
    assert "about 7" in summary(smoke) and "seconds, going by earlier builds" in summary(smoke)


def test_where_nothing_is_left_to_do_that_is_said() -> None:
    assert summary(Ahead((), (), 0, 0, 0.0)) == "Nothing to download, all layers are there"


@pytest.mark.parametrize(("size", "words"), [(0, "0.0 GB"), (4_900_000_000, "4.9 GB"), (12_000_000, "12 MB")])
def test_sizes_are_said_as_people_say_them(size: int, words: str) -> None:
    assert ahead.gigabytes(size) == words
