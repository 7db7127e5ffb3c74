"""A Docker daemon and a registry for tests: the machine's own daemon, or both started for now (by root)."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from rigforge import process
from rigforge.verify.iso import free_port

#: Seconds that a server may take to answer.
PATIENCE = 60


@contextmanager
def docker() -> Iterator[str]:
    """Yields the address of a Docker daemon (DOCKER_HOST)."""
    if process.run(["docker", "version"], env=os.environ, check=False).returncode == 0:
        yield os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        return
    assert os.geteuid() == 0, "no Docker daemon answers, and only root can start one"
    with tempfile.TemporaryDirectory(prefix="rigforge-docker-") as directory:
        folder = Path(directory)
        address = f"unix://{folder}/socket"
        places = ["--data-root", folder / "data", "--exec-root", folder / "exec", "--pidfile", folder / "pid"]
        # Containers under test have no network.
        network = ["--bridge", "none", "--iptables=false", "--ip6tables=false"]
        with (folder / "log").open("wb") as log:
            daemon = subprocess.Popen(["dockerd", "--host", address, *places, *network], stdout=log, stderr=log)
        try:
            command = ["docker", "--host", address, "version"]
            wait(lambda: subprocess.run(command, capture_output=True).returncode == 0, folder / "log")
            yield address
        finally:
            daemon.terminate()
            daemon.wait(PATIENCE)
            # What a container in the host's network leaves behind.
            subprocess.run(["umount", folder / "exec/netns/default"], capture_output=True)


@contextmanager
def registry() -> Iterator[str]:
    """Yields the address of a registry, which speaks HTTP: HOST:PORT."""
    address = f"127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory(prefix="rigforge-registry-") as directory:
        folder = Path(directory)
        storage = f"storage: {{filesystem: {{rootdirectory: {folder}/data}}}}"
        (folder / "config.yml").write_text(f"version: 0.1\n{storage}\nhttp: {{addr: '{address}'}}\n")
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(["docker-registry", "serve", folder / "config.yml"], stdout=log, stderr=log)
        try:
            wait(lambda: listens(address), folder / "log")
            yield address
        finally:
            server.terminate()
            server.wait(PATIENCE)


def listens(address: str) -> bool:
    """Says whether a server takes connections at HOST:PORT."""
    host, port = address.split(":")
    with closing(socket.socket()) as client:
        return client.connect_ex((host, int(port))) == 0


def wait(answers: Callable[[], bool], log: Path) -> None:
    """Waits until a server answers; where it does not, its `log` says why."""
    end = time.monotonic() + PATIENCE
    while not answers():
        assert time.monotonic() < end, log.read_text(errors="replace")
        time.sleep(0.2)
