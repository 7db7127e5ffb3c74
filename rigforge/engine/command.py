"""The command that runs an image on this machine."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rigforge.engine.find import Engine
from rigforge.engine.gpus import CDI_NAME, Access
from rigforge.errors import RigforgeError, UsageError

#: Where the work directory is in the container.
WORKSPACE = "/workspace"

#: Where Jupyter listens in the container.
JUPYTER_PORT = 8888

_GPU_OPTIONS: dict[Access, tuple[str, ...]] = {
    "toolkit": ("--gpus", "all"),
    "cdi": ("--device", CDI_NAME),
    "none": (),
}


@dataclass(frozen=True)
class Caller:
    """For whom a container runs, and where."""

    directory: Path
    uid: int
    gid: int
    #: Bytes of memory that the machine has.
    memory: int
    #: There is somebody at a terminal.
    terminal: bool

    @classmethod
    def here(cls) -> Caller:
        """Returns this process's user, work directory and terminal."""
        return cls(
            directory=Path.cwd(),
            uid=os.getuid(),
            gid=os.getgid(),
            memory=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
            terminal=sys.stdin.isatty() and sys.stdout.isatty(),
        )


def arguments(
    engine: Engine, access: Access, caller: Caller, reference: str, command: Sequence[str], port: int
) -> list[str]:
    """Returns the program and its arguments that run `command` (the image's own where it is empty).

    The caller's directory is the container's work directory, and files made there are the caller's.
    `port` of the loopback address leads to Jupyter where the command is one of Jupyter's.

    Raises RigforgeError where the directory cannot be had in a container.
    """
    if ":" in str(caller.directory):
        raise RigforgeError(f"{caller.directory}: a folder with a colon in its path cannot be mounted", "rename it")
    return [
        *(engine.name, "run", "--rm"),
        *(("--interactive", "--tty") if caller.terminal else ()),
        *_user(engine, caller),
        *("--volume", f"{caller.directory}:{WORKSPACE}", "--workdir", WORKSPACE),
        # PyTorch's DataLoader workers hand batches over in /dev/shm, which has 64 MB by default.
        # It is a tmpfs: only what is used takes memory.
        *("--shm-size", str(caller.memory // 2)),
        *_GPU_OPTIONS[access],
        *(("--publish", f"127.0.0.1:{port}:{JUPYTER_PORT}") if is_jupyter(command) else ()),
        reference,
        *command,
    ]


def is_jupyter(command: Sequence[str]) -> bool:
    """Says whether a command is one of Jupyter's: jupyter lab, jupyter-lab."""
    return bool(command) and Path(command[0]).name.startswith("jupyter")


def the_port(text: str) -> int:
    """Returns a port's number. Raises UsageError where `text` is none."""
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise UsageError(f"--port {text}: not a port", "a number from 1 to 65535")
    return int(text)


def check_port(port: int) -> None:
    """Raises RigforgeError where another program listens on that port of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            # Anything else (a port below 1024) the engine, which may be root, can do.
            if error.errno == errno.EADDRINUSE:
                raise RigforgeError(f"port {port} is in use", "choose another one with --port, e.g. 8889") from None


def _user(engine: Engine, caller: Caller) -> tuple[str, ...]:
    if not engine.rootless:
        return "--user", f"{caller.uid}:{caller.gid}"
    if engine.name == "podman":
        return ("--userns=keep-id",)
    # Rootless Docker's root is the caller; any other user of the image could not write the caller's files.
    # https://docs.docker.com/engine/security/rootless/
    return "--user", "0:0"
