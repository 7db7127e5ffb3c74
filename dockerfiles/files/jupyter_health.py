#!/usr/bin/python3
"""Health of the container: every Jupyter server that was started in it answers. Without one, it is healthy."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import ssl
import sys
from pathlib import Path
from typing import Any

#: Seconds, below those of HEALTHCHECK.
PATIENCE = 4


def servers(folder: Path) -> list[dict[str, Any]]:
    """The running servers, from the files that Jupyter Server writes (ServerApp.server_info)."""
    found = []
    for file in folder.glob("jpserver-*.json"):
        server = json.loads(file.read_text())
        if Path("/proc", str(server["pid"])).exists():
            found.append(server)
    return found


def answers(server: dict[str, Any]) -> bool:
    """Straight to the server: urllib would go through the container's proxy."""
    if server["sock"]:
        return True
    host = "127.0.0.1" if server["hostname"] in ("", "0.0.0.0", "::", "*") else server["hostname"]
    connection: http.client.HTTPConnection
    if server["secure"]:
        # Its certificate is for the name that users call it by.
        unverified = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(host, server["port"], timeout=PATIENCE, context=unverified)
    else:
        connection = http.client.HTTPConnection(host, server["port"], timeout=PATIENCE)
    with contextlib.closing(connection):
        try:
            connection.request("GET", server["base_url"] + "api")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


if __name__ == "__main__":
    folder = Path(os.environ.get("TMPDIR") or "/tmp", f"jupyter-{os.getuid()}")
    folder = Path(os.environ.get("JUPYTER_RUNTIME_DIR") or folder)
    silent = [server["url"] for server in servers(folder) if not answers(server)]
    if silent:
        sys.exit(f"does not answer: {' '.join(silent)}")
