"""A ZIP archive on a web server, of which only the parts that are wanted are fetched."""

from __future__ import annotations

import io
import zipfile

import requests

from rigforge.errors import RigforgeError
from rigforge.sources.mirrors import TIMEOUT

#: Bytes that are fetched at a time, at least: an archive's directory mostly takes one or two of them.
PIECE = 1 << 16


class RangeFile(io.RawIOBase):
    """A file on a web server, read by ranges of bytes.

    Raises requests' errors, and RigforgeError where the server sends something else than the range.
    """

    def __init__(self, url: str, session: requests.Session) -> None:
        self._url, self._session, self._position = url, session, 0
        answer = session.head(url, timeout=TIMEOUT, allow_redirects=True)
        answer.raise_for_status()
        self._size = int(answer.headers.get("content-length", 0))

    def seekable(self) -> bool:
        """Tells that it can be read from any place on."""
        return True

    def readable(self) -> bool:
        """Tells that it can be read."""
        return True

    def tell(self) -> int:
        """Returns the place that is read next, in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Sets the place that is read next, and returns it."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Reads into a buffer, and returns how many bytes that were."""
        count = min(len(buffer), self._size - self._position)
        if count <= 0:
            return 0
        headers = {"Range": f"bytes={self._position}-{self._position + count - 1}"}
        answer = self._session.get(self._url, headers=headers, timeout=TIMEOUT, stream=True)
        with answer:
            if answer.status_code != 206:
                raise RigforgeError(f"{self._url} is not sent in ranges (HTTP {answer.status_code})")
            content = answer.raw.read(count)
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)


def archive(url: str, session: requests.Session) -> zipfile.ZipFile:
    """Returns a ZIP archive of which nothing but the directory has been read."""
    return zipfile.ZipFile(io.BufferedReader(RangeFile(url, session), PIECE))
