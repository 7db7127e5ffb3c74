"""What of two builds is compared: files, the files on an ISO, the parts of images."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from rigforge.images import blob, oci
from rigforge.reproduce import contents


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def layer(folder: Path, content: bytes) -> oci.HistoryLayer:
    folder.mkdir(exist_ok=True)
    path = folder / f"{sha256(content)}.tar"
    with blob.create(path, "zstd") as tar:
        entry = tarfile.TarInfo("file")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return oci.HistoryLayer("a layer", blob.get(path))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """An ISO with its list of sums, and a layout with the image `dev` of two layers."""
    content, results = tmp_path / "content", tmp_path / "results"
    (content / "live").mkdir(parents=True)
    results.mkdir()
    (content / "live/base.squashfs").write_bytes(b"squashfs")
    (content / "SHA256SUMS").write_text(f"{sha256(b'squashfs')}  live/base.squashfs\n")
    iso = results / "rigforge-smoke.iso"
    subprocess.run(["xorriso", "-as", "mkisofs", "-quiet", "-r", "-o", iso, content], check=True, capture_output=True)
    layers = (layer(tmp_path / "cache", b"one"), layer(tmp_path / "cache", b"two"))
    oci.write(results / "images/smoke", {"dev": oci.Image(layers, {}, 0)})
    (results / ".rigforge-smoke.iso.made").write_text("of this machine only")
    return results


def test_every_part_has_a_name_and_a_digest(results: Path) -> None:
    found = contents.digests(results)
    assert [*found] == [
        "images/smoke:dev",
        "images/smoke:dev/config",
        "images/smoke:dev/layer-1",
        "images/smoke:dev/layer-2",
        "rigforge-smoke.iso",
        "rigforge-smoke.iso:live/base.squashfs",
    ]
    assert found["rigforge-smoke.iso"] == sha256((results / "rigforge-smoke.iso").read_bytes())
    assert found["rigforge-smoke.iso:live/base.squashfs"] == sha256(b"squashfs")


@pytest.mark.parametrize("name", ["rigforge-smoke.iso:live/base.squashfs", "images/smoke:dev/layer-2"])
def test_a_part_can_be_taken_out(results: Path, tmp_path: Path, name: str) -> None:
    target = contents.extract(results, name, tmp_path / "part")
    assert target is not None
    assert sha256(target.read_bytes()) == contents.digests(results)[name]


def test_a_part_that_only_the_other_build_has_cannot(results: Path, tmp_path: Path) -> None:
    assert contents.extract(results, "images/smoke:dev/layer-3", tmp_path / "part") is None
    assert contents.extract(results, "rigforge-smoke.cdx.json", tmp_path / "part") is None


def test_what_differs_or_is_missing_is_named() -> None:
    first = {"same": "1", "other": "2", "gone": "3"}
    assert contents.differing(first, {"same": "1", "other": "4", "new": "5"}) == ["gone", "new", "other"]
    assert contents.differing(first, dict(first)) == []
