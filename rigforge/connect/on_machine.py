"""Sent to the machine and run there by any Python from 3.7 on, with nothing installed.

Says in one line of JSON where its user's Jupyter is, and stays until the connection ends: the tunnel is the connection.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: How long a service that is being started may take (seconds).
PATIENCE = 120


def servers() -> Iterator[dict[str, Any]]:
    """Yields what the user's running servers wrote down (jupyter_core.paths, jupyter_runtime_dir)."""
    share = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    data = os.environ.get("JUPYTER_DATA_DIR") or Path(share) / "jupyter"
    runtime = os.environ.get("JUPYTER_RUNTIME_DIR") or Path(data) / "runtime"
    for file in sorted(Path(runtime).glob("jpserver-*.json")):
        try:
            server = json.loads(file.read_text())
            os.kill(server["pid"], 0)
            yield {name: server[name] for name in ("port", "token", "secure", "base_url")}
        except (OSError, ValueError, KeyError):
            continue  # one that has ended


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
    preferred = int(sys.argv[1])
    end = time.monotonic() + PATIENCE
    found = list(servers())
    while not found and service() in ("active", "activating") and time.monotonic() < end:
        time.sleep(1)
        found = list(servers())
    found.sort(key=lambda server: (server["port"] != preferred, server["port"]))
    answer = {"home": str(Path.home()), "service": service(), "server": found[0] if found else None}
    print("rigforge-connect " + json.dumps(answer), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
