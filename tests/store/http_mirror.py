"""A mirror on 127.0.0.1 that can err in the ways that real ones do."""

from __future__ import annotations

import hashlib
import http.server
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rigforge.records.file import LockedFile
from rigforge.sources.mirrors import Mirrors


@dataclass
class Answer:
    """How the server answers one request; the default is as it should be."""

    status: int = 200
    body: bytes | None = None
    #: Ends the connection after that many bytes of the body, though more were announced.
    drop_after: int | None = None
    #: Seconds to wait in the middle of the body.
    stall: float = 0
    #: Called before anything is sent.
    before: Callable[[], object] = lambda: None


@dataclass
class Request:
    path: str
    headers: dict[str, str]


@dataclass
class HttpMirror:
    """`contents` by path; `answers` by path are used up one a request, `always` is for every request."""

    url: str
    contents: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    always: Answer = field(default_factory=Answer)
    honours_range: bool = True
    requests: list[Request] = field(default_factory=list)

    @property
    def mirrors(self) -> Mirrors:
        """What the store is to fetch from: this server, for the archive `debian` and the package index."""
        return Mirrors({"debian": f"{self.url}/debian", "pypi": f"{self.url}/simple"})

    def add(self, name: str, content: bytes) -> LockedFile:
        """Puts a package on the mirror, and returns it as a lock names it."""
        path = f"pool/{name}.deb"
        self.contents[f"/debian/{path}"] = content
        digest = hashlib.sha256(content).hexdigest()
        return LockedFile("base", "deb", name, "1", f"debian:{path}", len(content), digest)

    def fails(self, file: LockedFile, *answers: Answer) -> None:
        """Says how the next requests for `file` are answered."""
        self.answers[_path(file)] = list(answers)

    def asked(self, file: LockedFile) -> list[str]:
        """Returns the Range header ("" where there was none) of every request for `file`."""
        return [request.headers.get("range", "") for request in self.requests if request.path == _path(file)]


def _path(file: LockedFile) -> str:
    return "/" + file.file.replace(":", "/")


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    mirror: HttpMirror

    def do_GET(self) -> None:
        # A proxy is asked for the whole URL.
        path = re.sub(r"^http://[^/]+", "", self.path)
        self.mirror.requests.append(Request(path, {name.lower(): value for name, value in self.headers.items()}))
        queued = self.mirror.answers.get(path)
        answer = queued.pop(0) if queued else self.mirror.always
        answer.before()
        content = self.mirror.contents.get(path) if answer.body is None else answer.body
        asked = re.match(r"bytes=(\d+)-$", self.headers.get("Range", ""))
        if answer.status != 200 or content is None:
            self._send(answer.status if answer.status != 200 else 404, b"", answer)
        elif asked and self.mirror.honours_range:
            begin = int(asked[1])
            if begin >= len(content):
                self._send(416, b"", answer)
            else:
                self._send(206, content[begin:], answer, f"bytes {begin}-{len(content) - 1}/{len(content)}")
        else:
            self._send(200, content, answer)

    def _send(self, status: int, body: bytes, answer: Answer, content_range: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        sent = body if answer.drop_after is None else body[: answer.drop_after]
        half = len(sent) // 2 if answer.stall else len(sent)
        try:
            self.wfile.write(sent[:half])
            if answer.stall:
                self.wfile.flush()
                time.sleep(answer.stall)
                self.wfile.write(sent[half:])
        except OSError:  # the client has gone
            self.close_connection = True
        if answer.drop_after is not None:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def running() -> Iterator[HttpMirror]:
    """Serves an HttpMirror on a free port."""

    class Handler(_Handler):
        pass

    with _Server(("127.0.0.1", 0), Handler) as server:
        Handler.mirror = HttpMirror(f"http://127.0.0.1:{server.server_address[1]}")
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield Handler.mirror
        server.shutdown()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """Says nothing: clients that go away are what is tested."""
