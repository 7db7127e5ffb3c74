"""`--check`: what earlier builds left is read, and what is damaged is made again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from rigforge.artifacts import recheck
from rigforge.artifacts.oci_images import OciImages
from rigforge.layers.build import Cache
from rigforge.records.checksums import to_text
from rigforge.sources.mirrors import Mirrors


def test_damaged_files_of_the_cache_are_forgotten_and_whole_ones_stay(tmp_path: Path) -> None:
    cache, digest = Cache(tmp_path), hashlib.sha256(b"whole").hexdigest()
    for kind, suffix, facts in (
        ("squashfs", "squashfs", {"sha256": digest}),
        ("blobs", "tar", {"digest": f"sha256:{digest}"}),
    ):
        (tmp_path / kind).mkdir()
        for name, content in (("one", b"whole"), ("two", b"whoLe")):
            (tmp_path / kind / f"{name}.{suffix}").write_bytes(content)
            (tmp_path / kind / f"{name}.json").write_text(json.dumps(facts))
    recheck.read_again([], cache, Mirrors({}), offline=True)
    assert sorted(str(file.relative_to(tmp_path)) for file in tmp_path.glob("*/*.json")) == [
        "blobs/one.json",
        "squashfs/one.json",
    ]


def test_an_iso_is_whole_only_where_its_checksum_file_says_so(tmp_path: Path) -> None:
    iso, checksums = tmp_path / "rig.iso", tmp_path / "rig.sha256"
    iso.write_bytes(b"medium")
    assert not recheck.is_whole(iso, checksums)
    checksums.write_text(to_text({"rig.iso": hashlib.sha256(b"medium").hexdigest()}))
    assert recheck.is_whole(iso, checksums)
    iso.write_bytes(b"mediuM")
    assert not recheck.is_whole(iso, checksums)


def test_a_layout_with_a_damaged_blob_is_written_anew(tmp_path: Path) -> None:
    blobs = tmp_path / "blobs/sha256"
    blobs.mkdir(parents=True)
    (tmp_path / "index.json").write_text("{}")
    whole, damaged = (blobs / hashlib.sha256(content).hexdigest() for content in (b"one", b"two"))
    whole.write_bytes(b"one")
    damaged.write_bytes(b"two")
    OciImages().forget_damaged(tmp_path)
    assert (tmp_path / "index.json").exists()
    damaged.write_bytes(b"twO")
    OciImages().forget_damaged(tmp_path)
    assert [blob.name for blob in blobs.iterdir()] == [whole.name]
    assert not (tmp_path / "index.json").exists()
