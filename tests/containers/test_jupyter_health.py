"""Whether a container is healthy, with a server in it or without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from tests.containers.installed import FILES


@contextmanager
def serving(path: str, status: int = 200) -> Iterator[int]:
    """A server that answers this path; gives its port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == path else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def started(folder: Path, port: int, base_url: str = "/", pid: int | None = None) -> None:
    """What Jupyter Server writes down when it starts."""
    pid = pid or os.getpid()
    server = {"url": f"http://box:{port}{base_url}", "hostname": "0.0.0.0", "port": port, "sock": ""}
    about = {**server, "secure": False, "base_url": base_url, "pid": pid}
    (folder / f"jpserver-{pid}.json").write_text(json.dumps(about))


def health(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", FILES / "jupyter_health.py"],
        env={"JUPYTER_RUNTIME_DIR": str(folder), "http_proxy": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
    )


def test_without_a_server_it_is_healthy(tmp_path: Path) -> None:
    assert health(tmp_path).returncode == 0
    assert health(tmp_path / "nowhere").returncode == 0


def test_a_server_that_answers_is_healthy(tmp_path: Path) -> None:
    with serving("/base/api") as port:
        started(tmp_path, port, "/base/")
        assert health(tmp_path).returncode == 0


def test_a_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with serving("/api") as port:
        pass
    started(tmp_path, port)
    done = health(tmp_path)
    assert (done.returncode, done.stderr) == (1, f"does not answer: http://box:{port}/\n")


def test_a_server_that_answers_with_an_error_is_not_healthy(tmp_path: Path) -> None:
    with serving("/api", status=500) as port:
        started(tmp_path, port)
        assert health(tmp_path).returncode == 1


def test_a_server_that_has_ended_is_forgotten(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    started(tmp_path, 9, pid=ended.pid)
    assert health(tmp_path).returncode == 0
