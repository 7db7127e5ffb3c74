"""Answers of servers that mean harm, or are broken: each ends soon, with little memory."""

from __future__ import annotations

import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from rigforge.sources import web

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def server(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Yields the address of a server that says 200 and then what `answer` writes."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):  # the client has gone
                answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        if tls:
            listening.socket = tls.wrap_socket(listening.socket, server_side=True)
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        try:
            yield f"http{'s' if tls else ''}://127.0.0.1:{listening.server_port}/"
        finally:
            listening.shutdown()


def drips(by: BaseHTTPRequestHandler) -> None:
    while True:
        by.wfile.write(b"x")
        time.sleep(0.02)


def sends(size: int) -> Answer:
    def answer(by: BaseHTTPRequestHandler) -> None:
        by.wfile.write(b"x" * size)

    return answer


def never_ends(by: BaseHTTPRequestHandler) -> None:
    while True:
        by.wfile.write(b"[" * 65536)


@pytest.mark.parametrize(("name", "accepted"), [("IP:127.0.0.1", True), ("DNS:mirror.example", False)])
def test_only_the_hosts_own_certificate_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, accepted: bool
) -> None:
    certificate, secret = tmp_path / "certificate.pem", tmp_path / "key.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-addext"]
    made = [*request, f"subjectAltName={name}", "-keyout", str(secret), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, secret)
    refused = nullcontext() if accepted else pytest.raises(requests.exceptions.SSLError, match="match")
    with server(sends(9), context) as url, web.session() as session, refused:
        assert session.get(url).content == b"x" * 9


@pytest.mark.parametrize("stream", [False, True])
def test_a_byte_now_and_then_is_no_answer(monkeypatch: pytest.MonkeyPatch, stream: bool) -> None:
    monkeypatch.setattr(web, "PATIENCE", 0.3)
    start = time.monotonic()
    refused = pytest.raises(requests.RequestException, match="bytes in 0 seconds")
    with server(drips) as url, web.session() as session, refused:
        b"".join(session.get(url, stream=stream).iter_content(65536))
    assert time.monotonic() - start < 2


def test_a_slow_reader_is_not_the_servers_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "PATIENCE", 0.1)
    got = 0
    with server(sends(9000)) as url, web.session() as session, session.get(url, stream=True) as response:
        for piece in web.pieces(response.raw, 1000):
            got += len(piece)
            time.sleep(0.05)
    assert got == 9000


def test_a_page_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "LARGEST_PAGE", 1 << 20)
    refused = pytest.raises(requests.RequestException, match="a page of more than 1 MiB")
    with server(never_ends) as url, web.session() as session, refused:
        session.get(url)


def test_a_file_may_be_larger_than_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "LARGEST_PAGE", 1 << 10)
    with server(sends(100_000)) as url, web.session() as session, session.get(url, stream=True) as response:
        assert sum(map(len, response.iter_content(1000))) == 100_000
