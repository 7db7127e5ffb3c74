"""A blob of an OCI image: a tar, compressed and hashed while it is written."""

from __future__ import annotations

import hashlib
import json
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, cast

import zstandard

from rigforge import atomic

#: How a blob may be compressed, and its media type (OCI image specification 1.1, "Image Layer Filesystem Changeset").
MEDIA_TYPES = {
    "zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
    "gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
}

_LEVEL = 6
#: More than none changes the bytes, how many does not.
_THREADS = 2
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Blob:
    """A finished blob: its file, and what a manifest and a configuration say of it.

    `digest` is that of the file, `diff_id` that of the tar in it (both `sha256:` and hex); sizes are bytes. `seconds`
    is how long it took to make, None where nobody kept that.
    """

    path: Path
    media_type: str
    digest: str
    size: int
    diff_id: str
    tar_size: int
    seconds: float | None = None

    def forget(self) -> None:
        """Has the next run make the blob anew."""
        self.path.with_suffix(".json").unlink(missing_ok=True)

    def chunks(self) -> Iterator[bytes]:
        """Yields the tar, uncompressed."""
        with self.path.open("rb") as file:
            if self.media_type == MEDIA_TYPES["zstd"]:
                yield from zstandard.ZstdDecompressor().read_to_iter(file, read_size=_CHUNK, write_size=_CHUNK)
                return
            decompressor = zlib.decompressobj(wbits=31)
            while data := file.read(_CHUNK):
                yield decompressor.decompress(data)


def find(path: Path) -> Blob | None:
    """Returns the blob that `create` left at `path`, or None."""
    return get(path) if path.with_suffix(".json").exists() else None


def get(path: Path) -> Blob:
    """Returns the blob that `create` left at `path`."""
    return Blob(path, **json.loads(path.with_suffix(".json").read_text()))


def seconds(directory: Path) -> dict[str, float]:
    """Returns how long blobs in the cache's directory of blobs took to make, by their digests, as far as measured."""
    files = [file for file in sorted(directory.glob("*.json")) if _describes_a_blob(file)]
    facts = [json.loads(file.read_text()) for file in files]
    return {fact["digest"]: fact["seconds"] for fact in facts if "seconds" in fact}


def _describes_a_blob(file: Path) -> bool:
    return not file.name.startswith(".") and not file.name.endswith(".config.json")


@contextmanager
def create(path: Path, compression: str) -> Iterator[tarfile.TarFile]:
    """Opens a tar to be filled; at the end the blob is at `path`, whole or not at all.

    What is added should have whole seconds and no names of owners, which differ between machines.
    """
    with atomic.making(path) as draft, draft.open("wb") as file:
        sink = _Sink(file, compression)
        # A stream, because a sink cannot tell where it is.
        with tarfile.open(fileobj=cast("IO[bytes]", sink), mode="w|", format=tarfile.PAX_FORMAT, bufsize=_CHUNK) as tar:
            # By 16 KiB, its own, each piece would be copied with all that its buffer holds.
            tar.copybufsize = _CHUNK  # type: ignore[attr-defined]
            yield tar
        facts = sink.finish()
    atomic.write(path.with_suffix(".json"), json.dumps({"media_type": MEDIA_TYPES[compression], **facts}))


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class _Sink:
    """Where a tar is written to."""

    def __init__(self, file: IO[bytes], compression: str) -> None:
        self._file, self._compressor = file, _compressor(compression)
        self._tar, self._blob = hashlib.sha256(), hashlib.sha256()
        self._tar_size = self._size = 0

    def write(self, data: bytes) -> int:
        self._tar.update(data)
        self._tar_size += len(data)
        self._put(self._compressor.compress(data))
        return len(data)

    def finish(self) -> dict[str, Any]:
        self._put(self._compressor.flush())
        return {
            "digest": f"sha256:{self._blob.hexdigest()}",
            "size": self._size,
            "diff_id": f"sha256:{self._tar.hexdigest()}",
            "tar_size": self._tar_size,
        }

    def _put(self, data: bytes) -> None:
        self._blob.update(data)
        self._size += len(data)
        self._file.write(data)


def _compressor(compression: str) -> _Compressor:
    if compression == "gzip":
        return zlib.compressobj(_LEVEL, zlib.DEFLATED, wbits=31)
    parameters = zstandard.ZstdCompressionParameters.from_level(_LEVEL, threads=_THREADS, write_checksum=True)
    return zstandard.ZstdCompressor(compression_params=parameters).compressobj()
