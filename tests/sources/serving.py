"""A web server on the loopback address, for archives and indices in a directory."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: A port where nothing answers: `discard`, which nobody serves any more.
NOBODY = "http://127.0.0.1:9"


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder's index.json as a page of a Python package index (PEP 691)."""

    def do_GET(self) -> None:
        page = Path(self.translate_path(self.path)) / "index.json"
        if not page.is_file():
            return super().do_GET()
        content = page.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        return None

    def log_message(self, *_: object) -> None:
        """Nothing: the tests' output is for the tests."""


@contextmanager
def served(directory: Path) -> Iterator[str]:
    """Serves a directory and yields its URL."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
