"""One file from a mirror into a part of the store, over connections that break and servers that err."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import requests
import urllib3

from rigforge.errors import RigforgeError, StoppedError
from rigforge.records.file import LockedFile
from rigforge.sources.mirrors import TIMEOUT, FileGoneError, Mirrors, locate, without_credentials
from rigforge.sources.web import TooSlowError, pieces
from rigforge.store.partial_download import CHUNK, PartialDownload

#: Seconds to wait before the next try when a server gave nothing; after the last one it is an error.
PAUSES = (0.5, 1.0, 2.0, 4.0)

#: What can be wrong with a connection or a server, as opposed to this machine's disk.
NetworkError = (requests.RequestException, urllib3.exceptions.HTTPError)

#: Network errors that no second try can put right.
_HOPELESS = (
    requests.exceptions.SSLError,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)


class WrongContentError(RigforgeError):
    """A mirror sends something else than what was locked."""

    def __init__(self, file: LockedFile, place: str, size: int, sha256: str) -> None:
        super().__init__(
            f"{file.file} is not what was locked, twice, from {place}:\n"
            f"  expected {file.size} bytes, sha256 {file.sha256}\n"
            + (f"  found    {size} bytes, sha256 {sha256}" if size <= file.size else "  found    more bytes than that"),
            "the mirror or a proxy before it is damaged, or its file was replaced; try another mirror, "
            "or renew the lock with `invoke lock --upgrade`",
        )


@dataclass(frozen=True)
class Transport:
    """What the files of one worker share: where they come from, its connections, and who is told of progress."""

    mirrors: Mirrors
    session: requests.Session
    advance: Callable[[int], None]
    stop: Event


def download(file: LockedFile, part: PartialDownload, by: Transport) -> None:
    """Completes `part` so that it holds `file`, checked by size and sha256.

    Goes on where `part` ends, after a broken connection as after an earlier run. Content that is wrong
    is fetched once more from the start, past any cache.

    Raises WrongContentError, FileGoneError, RigforgeError where the mirror does not answer, OSError for this
    machine's own disk, and StoppedError.
    """
    by.advance(part.size)
    inherited = part.size > 0
    wrong = 0
    while True:
        place = _complete(file, part, by, fresh=wrong > 0) if part.size < file.size else "an earlier run"
        if (part.size, part.sha256) == (file.size, file.sha256):
            return
        content = part.size, part.sha256
        by.advance(-part.size)
        part.restart()
        # A wrong beginning that an earlier run left is not this mirror's fault.
        wrong += not inherited
        inherited = False
        if wrong == 2:
            raise WrongContentError(file, place, *content)


def _complete(file: LockedFile, part: PartialDownload, by: Transport, *, fresh: bool) -> str:
    """Appends to `part` until the server has sent all it has; returns from where, as it may be shown."""
    failures = 0
    place = file.file
    while True:
        before = part.size
        try:
            location = locate(file, by.mirrors, by.session)
            place = without_credentials(str(location))
            _append(location, file, part, by, fresh=fresh)
            return place
        except NetworkError as error:
            failures = 1 if part.size > before and not isinstance(error, TooSlowError) else failures + 1
            if isinstance(error, _HOPELESS) or _refused(error) or failures > len(PAUSES):
                raise _unreachable(file, place, error, by.mirrors) from error
        except (ValueError, RecursionError) as error:  # what a server says of length or place is no such thing
            raise _unreachable(file, place, error, by.mirrors) from error
        if by.stop.wait(PAUSES[failures - 1]):
            raise StoppedError


def _append(location: Path | str, file: LockedFile, part: PartialDownload, by: Transport, *, fresh: bool) -> None:
    with _opened(location, file, part.size, by.session, fresh=fresh) as (offset, chunks):
        if offset != part.size:
            by.advance(-part.size)
            part.restart()
        for chunk in chunks:
            if by.stop.is_set():
                raise StoppedError
            part.append(chunk)
            by.advance(len(chunk))
            # Whatever comes after this is wrong already: do not fill the disk with it.
            if part.size > file.size:
                return


@contextmanager
def _opened(
    location: Path | str, file: LockedFile, offset: int, session: requests.Session, *, fresh: bool
) -> Iterator[tuple[int, Iterator[bytes]]]:
    """Opens `location`, from byte `offset` on if it can; yields where it begins, and the bytes from there."""
    if isinstance(location, Path):
        if not location.is_file():
            raise FileGoneError(file, str(location))
        with location.open("rb") as source:
            source.seek(offset)
            yield offset, iter(lambda: source.read(CHUNK), b"")
        return
    # "identity": the bytes as they are stored, since some servers label a .gz file as an encoding.
    headers = {"Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    if fresh:
        headers["Cache-Control"] = "no-cache"
    with session.get(location, stream=True, headers=headers, timeout=TIMEOUT) as response:
        if response.status_code in (404, 410):
            raise FileGoneError(file, without_credentials(location))
        if response.status_code == 416:
            # The server's file ends before `offset`: all that it has is here already.
            yield offset, iter(())
            return
        response.raise_for_status()
        answered = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        begin = int(answered[1]) if response.status_code == 206 and answered else 0
        if begin not in (0, offset):
            raise requests.exceptions.InvalidHeader(f"asked for byte {offset} and on, was sent byte {begin} and on")
        yield begin, pieces(response.raw, CHUNK, decode_content=False)


def _refused(error: Exception) -> bool:
    """Says whether the server answered that it will not, rather than that it cannot now."""
    if not isinstance(error, requests.HTTPError) or error.response is None:
        return False
    return error.response.status_code < 500 and error.response.status_code not in (408, 425, 429)


def _unreachable(file: LockedFile, place: str, error: Exception, mirrors: Mirrors) -> RigforgeError:
    role = file.file.split(":", 1)[0]
    lacking = f"{mirrors.directory / file.mirror_path} is not there, and " if mirrors.directory else ""
    return RigforgeError(
        f"{lacking}cannot fetch {file.file} from {place}: {_reason(error)}",
        f"check the network, proxy settings and the mirror (`{role}` in the table [mirrors] of {mirrors.config}); "
        "what has arrived is kept, the same command goes on from there",
    )


def _reason(error: Exception) -> str:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"it answers {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.ConnectTimeout | requests.ReadTimeout | urllib3.exceptions.TimeoutError):
        return "it does not answer"
    # The innermost cause says it in the words of the operating system.
    cause: BaseException = error
    while inner := cause.__cause__ or cause.__context__:
        cause = inner
    return str(cause) or type(cause).__name__
