"""Sent to the machine and run there by any Python from 3.7 on, with nothing installed.

Says in one line of JSON where its user's Jupyter is, and stays until the connection ends: the tunnel is the connection.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

#: How long a service that is being started may take (seconds).
PATIENCE = 120

#: What is told of a server.
ABOUT = ("port", "token", "secure", "base_url")


def servers() -> Iterator[dict[str, Any]]:
    """Yields what the user's running servers wrote down (jupyter_core.paths, jupyter_runtime_dir)."""
    share = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    data = os.environ.get("JUPYTER_DATA_DIR") or Path(share) / "jupyter"
    runtime = os.environ.get("JUPYTER_RUNTIME_DIR") or Path(data) / "runtime"
    for file in sorted(Path(runtime).glob("jpserver-*.json")):
        try:
            server = json.loads(file.read_text())
            os.kill(server["pid"], 0)
            yield {name: server[name] for name in (*ABOUT, "version")}
        except (OSError, ValueError, KeyError):
            continue  # one that has ended


def wake(port: int) -> None:
    """Connects to a server that its first connection starts (rigforge.machine.jupyter); it has no version before."""
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


def service() -> str:
    """Returns the state of Rigforge's service, "" where there is none."""
    question = ["systemctl", "--user", "show", "--property=LoadState,ActiveState", "jupyter.service"]
    try:
        answer = subprocess.run(question, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    except OSError:
        return ""
    found = dict(line.split("=", 1) for line in answer.stdout.decode().splitlines() if "=" in line)
    return found.get("ActiveState", "") if found.get("LoadState") == "loaded" else ""


def main() -> None:
    preferred = int(sys.argv[1])  # 0: no server is asked for
    end = time.monotonic() + PATIENCE
    server = None
    while preferred and time.monotonic() < end:
        server = min(servers(), key=lambda one: (one["port"] != preferred, one["port"]), default=None)
        if server and not server["version"]:
            wake(server["port"])
        elif server or service() not in ("active", "activating", "deactivating"):
            break
        time.sleep(1)
    about = {name: server[name] for name in ABOUT} if server else None
    answer = {"home": str(Path.home()), "service": service(), "server": about}
    print("rigforge-connect " + json.dumps(answer), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
