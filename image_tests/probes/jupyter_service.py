"""Asks the user's jupyter.service, once it answers, what somebody with and without its token gets. Prints JSON."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

PORT = 8888
PATIENCE = 600
TOKEN = Path.home() / ".config/rigforge/jupyter-token"


def get(path: str, token: str = "") -> tuple[int, str]:
    """Status and text of a page."""
    headers = {"Authorization": f"token {token}"} if token else {}
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def answers() -> bool:
    try:
        return get("/api")[0] == 200
    except OSError:
        return False


def told(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


end = time.monotonic() + PATIENCE
while not answers() and time.monotonic() < end:
    time.sleep(2)
if not answers():
    raise SystemExit(told("journalctl", "--user", "--unit", "jupyter", "--no-pager", "--lines", "50"))

token = TOKEN.read_text()
kernels = json.loads(get("/api/kernelspecs", token)[1])
extensions = json.loads(get("/lab/api/extensions", token)[1])
process = Path("/proc", told("systemctl", "--user", "show", "--property=MainPID", "--value", "jupyter.service"))
print(
    json.dumps(
        {
            "token_mode": oct(TOKEN.stat().st_mode & 0o777),
            "token_length": len(token),
            "token_is_on_the_command_line": token in process.joinpath("cmdline").read_text(),
            "token_is_in_the_journal": token in told("sudo", "-n", "journalctl", "--boot", "--no-pager"),
            "token_is_in_the_report": any(
                token in path.read_text(errors="replace")
                for path in (Path("/var/lib/rigforge/report"), Path("/etc/motd"), Path("/run/motd.dynamic"))
                if os.access(path, os.R_OK)
            ),
            "without_token": get("/api/kernelspecs")[0],
            "with_token": get("/api/kernelspecs", token)[0],
            "default_kernel": kernels["kernelspecs"][kernels["default"]]["spec"]["display_name"],
            "logo": get(kernels["kernelspecs"][kernels["default"]]["resources"]["logo-svg"], token)[0],
            "extensions": {extension["name"]: extension["enabled"] for extension in extensions},
            "dashboard": json.loads(get("/nvdashboard/accelerators/check", token)[1] or "null"),
        }
    )
)
