"""One SSH connection that is both: the tunnel, and the program on the machine that says where Jupyter is."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from rigforge.connect.ssh_errors import failure
from rigforge.errors import RigforgeError
from rigforge.plain import plain

#: Before the machine's answer; a shell's own start-up files may print lines as well.
MARK = "rigforge-connect "

#: A connection that is gone is noticed after 30 seconds. A command or a shared connection of the user's configuration
#: would be in the way: forwarded ports of a shared one outlive us.
OPTIONS = (
    "ConnectTimeout=15",
    "ServerAliveInterval=10",
    "ServerAliveCountMax=3",
    "ExitOnForwardFailure=yes",
    "RemoteCommand=none",
    "ControlPath=none",
)

#: The program comes in the first line of its input, so that no shell, of whatever kind, has to quote it.
START = "python3 -c 'import sys, json; exec(json.loads(sys.stdin.readline()))'"


#: What goes into an address that a browser opens, the state of a unit, and the beginning of a home.
_TOKEN = re.compile(r"[A-Za-z0-9._~-]{0,512}")
_BASE_URL = re.compile(r"/([A-Za-z0-9._~%@+-]+/)*")
_WORD = re.compile(r"[a-z-]{0,32}")
_ROOTED = re.compile(r"/|[A-Za-z]:[\\/]")


@dataclass(frozen=True)
class Server:
    """A Jupyter server on the machine. `token` is "" where there is a password instead."""

    port: int
    token: str
    secure: bool
    base_url: str


@dataclass(frozen=True)
class RemoteAnswer:
    """What the machine says: the user's home, the state of jupyter.service ("" for none), and the server there is."""

    home: str
    service: str
    server: Server | None


class Tunnel:
    """A running ssh. It asks for passphrases and unknown host keys itself, at the user's terminal."""

    def __init__(self, host: str, local: int, remote: int) -> None:
        self._host, self._local, self._said = host, local, list[str]()
        options = [word for option in OPTIONS for word in ("-o", option)]
        forward = ["-L", f"127.0.0.1:{local}:127.0.0.1:{remote}"] if local else []
        try:
            # Not rigforge.process: ssh needs the user's terminal, agent and environment.
            self._process = subprocess.Popen(
                ["ssh", "-T", *options, *forward, "--", host, f"{START} {remote}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
            )
        except FileNotFoundError:
            raise RigforgeError(
                "there is no ssh on this computer",
                "Windows: Settings, Optional features, OpenSSH Client; Linux: the package openssh-client",
            ) from None
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()

    def ask(self) -> RemoteAnswer:
        """Returns the machine's answer; takes as long as logging in does. Raises RigforgeError."""
        program = Path(__file__).with_name("remote_agent.py").read_text(encoding="utf-8")
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(json.dumps(program) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise self.failure() from None
        for line in self._process.stdout:
            if line.startswith(MARK):
                return _answer(self._host, line.removeprefix(MARK))
        raise self.failure()

    def wait(self) -> None:
        """Stays as long as the tunnel stands. Raises RigforgeError when it falls."""
        self._process.wait()
        self._listener.join(timeout=1)
        said = next((line.strip() for line in reversed(self._said) if line.strip()), "")
        raise RigforgeError(
            f"the connection to {self._host} has ended" + (f" (ssh: {said})" if said else ""),
            "what runs on the machine goes on; run the same command again",
        )

    def failure(self) -> RigforgeError:
        """Returns what is wrong with a tunnel that does not work, from ssh's own words."""
        self.close()
        self._listener.join(timeout=1)
        return failure(self._host, self._local, self._said)

    def close(self) -> None:
        """Ends the connection, and with it the program on the machine."""
        self._process.terminate()
        self._process.wait()

    def _listen(self) -> None:
        assert self._process.stderr
        self._said.extend(self._process.stderr)


@contextmanager
def tunnel(host: str, local: int, remote: int) -> Iterator[tuple[Tunnel, RemoteAnswer]]:
    """Opens a tunnel from port `local` here (0: none) to `remote` there, and yields it with the machine's answer.

    Raises RigforgeError where there is none to be had.
    """
    opened = Tunnel(host, local, remote)
    try:
        yield opened, opened.ask()
    finally:
        opened.close()


def _answer(host: str, text: str) -> RemoteAnswer:
    """Returns what a machine says, which it may say of anything: no more of it is taken than what it can be."""
    try:
        fields = json.loads(text)
        server = fields["server"]
        answer = RemoteAnswer(
            _home(fields["home"]), _word(fields["service"]), None if server is None else _server(server)
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RigforgeError(
            f"{host} gives no answer that can be used ({type(error).__name__}: {error})",
            f"is it the machine that you mean? ssh {host} shows it",
        ) from None
    return answer


def _server(found: dict[str, Any]) -> Server:
    port, secure = found["port"], found["secure"]
    if type(port) is not int or not 0 < port < 65536 or type(secure) is not bool:
        raise ValueError("no port")
    return Server(port, _matching(_TOKEN, found["token"]), secure, _matching(_BASE_URL, found["base_url"]))


def _home(text: object) -> str:
    """Returns a path that is one on any machine, and one line of plain text."""
    if not isinstance(text, str) or plain(text) != text or "\n" in text or not _ROOTED.match(text):
        raise ValueError("its home is no path")
    return text


def _word(text: object) -> str:
    return _matching(_WORD, text)


def _matching(pattern: re.Pattern[str], text: object) -> str:
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise ValueError("unexpected characters")
    return text
