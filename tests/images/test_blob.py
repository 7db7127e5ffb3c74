"""Blobs: compressed tars whose bytes and digests depend on nothing but what was added."""

from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from rigforge.images import blob
from rigforge.images.blob import MEDIA_TYPES, Blob

CONTENT = bytes(range(256)) * 20_000


def make(path: Path, compression: str) -> Blob:
    with blob.create(path, compression) as tar:
        entry = tarfile.TarInfo("data")
        entry.size = len(CONTENT)
        tar.addfile(entry, io.BytesIO(CONTENT))
    made = blob.find(path)
    assert made
    return made


def plain(made: Blob, compression: str) -> bytes:
    if compression == "gzip":
        return gzip.decompress(made.path.read_bytes())
    return subprocess.run(["zstd", "--decompress", "--stdout", made.path], check=True, capture_output=True).stdout


@pytest.mark.parametrize("compression", MEDIA_TYPES)
def test_digests_and_sizes_are_those_of_the_file_and_of_the_tar_in_it(tmp_path: Path, compression: str) -> None:
    made = make(tmp_path / "blob.tar", compression)
    packed, tar = made.path.read_bytes(), plain(made, compression)
    assert (made.digest, made.size) == (f"sha256:{hashlib.sha256(packed).hexdigest()}", len(packed))
    assert (made.diff_id, made.tar_size) == (f"sha256:{hashlib.sha256(tar).hexdigest()}", len(tar))
    assert made.size < made.tar_size


@pytest.mark.parametrize("compression", MEDIA_TYPES)
def test_chunks_are_the_tar(tmp_path: Path, compression: str) -> None:
    made = make(tmp_path / "blob.tar", compression)
    tar = b"".join(made.chunks())
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        file = opened.extractfile("data")
        assert file
        assert file.read() == CONTENT


@pytest.mark.parametrize("compression", MEDIA_TYPES)
def test_the_same_content_is_the_same_blob(tmp_path: Path, compression: str) -> None:
    one, two = make(tmp_path / "one.tar", compression), make(tmp_path / "two.tar", compression)
    assert one.digest == two.digest


def test_an_interrupted_blob_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), blob.create(tmp_path / "blob.tar", "zstd"):
        raise KeyboardInterrupt
    assert blob.find(tmp_path / "blob.tar") is None
    assert not (tmp_path / "blob.tar").exists()
