"""A machine to connect to: a real SSH server of this user on 127.0.0.1, and somebody who answers as Jupyter does."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from rigforge.verify.iso import free_port


class Jupyter(BaseHTTPRequestHandler):
    """What /api says; the tests of built machines ask the real one."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/api" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass
class Machine:
    """The machine `gpubox`, to which the folder `laptop` has the key; `variables` for the laptop's programs."""

    folder: Path
    laptop: Path
    port: int
    sshd: subprocess.Popen[bytes]
    variables: dict[str, str] = field(default_factory=dict)

    def runs_jupyter(self, token: str = "0123456789abcdef") -> ThreadingHTTPServer:
        """Starts a server that has written down where it is, as Jupyter does."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), Jupyter)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._write_down(server.server_port, token, "2.21.1")
        return server

    def has_jupyter_that_sleeps(self) -> None:
        """Adds a server that its first connection starts, and that then listens on another port than it said."""
        listener = socket.create_server(("127.0.0.1", 0))
        self._write_down(listener.getsockname()[1], "asleep", "")

        def start() -> None:
            with listener:
                listener.accept()
            self.runs_jupyter(token="awake")

        threading.Thread(target=start, daemon=True).start()

    def _write_down(self, port: int, token: str, version: str) -> None:
        """Says where a server is, in one step, as whoever reads it may do so at any time."""
        about = {"pid": os.getpid(), "port": port, "token": token, "secure": False, "base_url": "/"}
        new = self.folder / "runtime/new"
        new.write_text(json.dumps({**about, "version": version}))
        new.replace(self.folder / "runtime/jpserver-1.json")

    def configure(self, **options: str) -> None:
        """Adds options of ssh_config(5) to the laptop's, before those that are there: the first one counts."""
        file = self.laptop / "config"
        file.write_text("".join(f"{name} {value}\n" for name, value in options.items()) + file.read_text())


@contextmanager
def gpubox(tmp_path: Path) -> Iterator[Machine]:
    """Makes the machine below `tmp_path` and starts its SSH server."""
    folder, laptop = tmp_path / "machine", tmp_path / "laptop"
    (folder / "runtime").mkdir(parents=True)
    (laptop / "bin").mkdir(parents=True)
    for name in (folder / "host_key", laptop / "id"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name], check=True)
    shutil.copy(laptop / "id.pub", folder / "authorized_keys")
    port = free_port()
    settings = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": folder / "host_key",
        "PidFile": "none",
        "AuthorizedKeysFile": folder / "authorized_keys",
        "AuthenticationMethods": "publickey",
        "StrictModes": "no",
        # JupyterLab's own way to say where it writes down its servers, and no service manager that would know others.
        "SetEnv": f"JUPYTER_RUNTIME_DIR={folder}/runtime DBUS_SESSION_BUS_ADDRESS=none XDG_RUNTIME_DIR=/nonexistent",
    }
    (folder / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "sshd is not installed; `./bootstrap test` installs it"
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    known = laptop / "known_hosts"
    known.write_text(f"[127.0.0.1]:{port} {(folder / 'host_key.pub').read_text()}")
    (laptop / "config").write_text(
        f"Host gpubox\nHostName 127.0.0.1\nPort {port}\nUser {getpass.getuser()}\n"
        f"IdentityFile {laptop}/id\nIdentityAgent none\nIdentitiesOnly yes\nUserKnownHostsFile {known}\n"
        "GlobalKnownHostsFile none\nStrictHostKeyChecking yes\nBatchMode yes\n"
    )
    # ssh takes its configuration from the user's real home whatever HOME says.
    (laptop / "bin/ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {laptop}/config "$@"\n')
    (laptop / "bin/ssh").chmod(0o755)
    with (folder / "log").open("wb") as log:
        sshd = subprocess.Popen([program, "-D", "-e", "-f", folder / "sshd_config"], stdout=log, stderr=log)
    try:
        end = time.monotonic() + 20
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert time.monotonic() < end and sshd.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        path = f"{laptop}/bin:{os.environ['PATH']}"
        yield Machine(folder, laptop, port, sshd, {**os.environ, "PATH": path, "RIGFORGE_HOME": f"{tmp_path}/state"})
    finally:
        sshd.terminate()
        sshd.wait(20)
