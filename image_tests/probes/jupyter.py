"""Starts JupyterLab as a user would, asks it for its page, says where it listens, and ends it. Prints JSON."""

import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

PORT = 18888
PATIENCE = 600


def listening() -> list[str]:
    """Local addresses (hexadecimal, as in proc(5)) on which somebody listens at PORT."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with Path(table).open() as rows:
            for row in list(rows)[1:]:
                address, port = row.split()[1].split(":")
                if row.split()[3] == "0A" and int(port, 16) == PORT:
                    found.append(address)
    return found


def get(path: str) -> tuple[int, str, str]:
    """Status and last address of a page, after redirections."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}{path}", timeout=60) as answer:
            return answer.status, answer.url, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.url, ""


with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("w+") as log:
    # A login shell, because that is what puts the environment into PATH.
    # Root, as in containers, has to say so.
    root = "--allow-root" if os.geteuid() == 0 else ""
    command = ["bash", "-lc", f"exec jupyter lab --no-browser --port={PORT} --ServerApp.port_retries=0 {root}"]
    server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        end = time.monotonic() + PATIENCE
        while not listening() and server.poll() is None and time.monotonic() < end:
            time.sleep(1)
        if not listening():
            log.seek(0)
            raise SystemExit(f"JupyterLab did not start:\n{log.read()}")
        status, _, body = get("/api")
        lab_status, lab_url, _ = get("/lab")
        print(
            json.dumps(
                {
                    "addresses": listening(),
                    "api_status": status,
                    "api": json.loads(body or "{}"),
                    "lab_status": lab_status,
                    "lab_url": lab_url,
                }
            )
        )
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(60)
