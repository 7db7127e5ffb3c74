"""A Docker daemon that only answers questions: HTTP on a Unix socket, as far as the SDK asks."""

from __future__ import annotations

import http.server
import json
import re
import socketserver
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: What Debian 12's daemon says, shortened.
VERSION = {"Version": "20.10.24+dfsg1", "ApiVersion": "1.41", "Components": [{"Name": "Engine"}]}
INFO = {"Runtimes": {"runc": {"path": "runc"}}, "SecurityOptions": ["name=seccomp,profile=default"]}


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@contextmanager
def answering(
    socket: Path,
    version: Mapping[str, Any] | None = None,
    info: Mapping[str, Any] | None = None,
    images: Collection[str] = (),
    status: int = 200,
    loading: str = "",
) -> Iterator[bytearray]:
    """Answers on `socket`: /version and /info with the given values over Debian's, /images with those it has.

    What it is given to load, it fails to with the error `loading`; yields the bytes that it got.
    """
    got = bytearray()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = re.sub(r"^/v[\d.]+(?=/)", "", self.path)
            if status != 200:
                return self.answer(status, {"message": "the daemon is not well"})
            if path == "/version":
                return self.answer(200, {**VERSION, **(version or {})})
            if path == "/info":
                return self.answer(200, {**INFO, **(info or {})})
            name = path.removeprefix("/images/").removesuffix("/json")
            if name in images:
                return self.answer(200, {"Id": f"sha256:{'0' * 64}", "RepoTags": [name]})
            return self.answer(404, {"message": f"No such image: {name}"})

        def do_POST(self) -> None:
            while size := int(self.rfile.readline(), 16):
                got.extend(self.rfile.read(size))
                self.rfile.readline()
            self.answer(200, {"errorDetail": {"message": loading}, "error": loading} if loading else {"stream": ""})

        def answer(self, code: int, content: Mapping[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: the tests' output is for the tests."""

    with _Server(str(socket), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield got
        finally:
            server.shutdown()
            thread.join()
