"""Answers of web servers, within limits: none takes for ever, and none fills the memory."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

#: Bytes of a page that is held in memory. PyPI's largest one, of the project with most files, has a quarter of that.
LARGEST_PAGE = 32 << 20

#: Bytes that have to come in each `PATIENCE` (seconds spent waiting); a modem of 1990 brought twice as many.
LEAST_BYTES, PATIENCE = 30 << 10, 30.0


def session(proxies: Mapping[str, str] | None = None) -> requests.Session:
    """Returns a session whose answers have limits; `proxies` go before those of the environment.

    Who reads an answer gets a RequestException or urllib3's ProtocolError for one that comes slower than `LEAST_BYTES`
    in `PATIENCE` seconds, and for one that is not streamed and larger than `LARGEST_PAGE`.
    """
    new_session = requests.Session()
    new_session.proxies.update(proxies or {})
    for scheme in ("http://", "https://"):
        new_session.mount(scheme, _Limited())
    return new_session


class TooSlowError(urllib3.exceptions.ProtocolError):
    """An answer comes slower than `LEAST_BYTES` in `PATIENCE` seconds."""


class _Limited(HTTPAdapter):
    def send(
        self, request: requests.PreparedRequest, stream: bool = False, *args: Any, **options: Any
    ) -> requests.Response:
        response = super().send(request, stream, *args, **options)
        # It is what requests reads an answer with.
        limited_stream = partial(pieces, response.raw, largest=None if stream else LARGEST_PAGE)
        response.raw.stream = limited_stream  # type: ignore[method-assign]
        return response


def pieces(
    body: urllib3.response.BaseHTTPResponse, amount: int, decode_content: bool | None = None, largest: int | None = None
) -> Iterator[bytes]:
    """Yields what comes of a body, as it comes, in pieces of at most `amount` bytes.

    Raises TooSlowError, and ProtocolError where it is larger than `largest` bytes.
    """
    wait_seconds, received_bytes, total_bytes = 0.0, 0, 0
    while True:
        start = time.monotonic()
        # read() would wait until it has all of `amount`.
        piece = body.read1(amount, decode_content=decode_content)
        wait_seconds += time.monotonic() - start
        if not piece:
            return
        received_bytes += len(piece)
        total_bytes += len(piece)
        if wait_seconds > PATIENCE:
            if received_bytes < LEAST_BYTES:
                raise TooSlowError(f"it sent {received_bytes} bytes in {wait_seconds:.0f} seconds")
            wait_seconds, received_bytes = 0.0, 0
        if largest is not None and total_bytes > largest:
            raise urllib3.exceptions.ProtocolError(f"it sends a page of more than {largest >> 20} MiB")
        yield piece
