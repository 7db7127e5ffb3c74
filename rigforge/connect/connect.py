"""What `rigforge connect` does: from a host's name to JupyterLab in the browser."""

from __future__ import annotations

import os
import shlex
import socket
import ssl
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Callable

from rigforge.connect.ssh_errors import PortTakenError
from rigforge.connect.tunnel import RemoteAnswer, Server, Tunnel, tunnel
from rigforge.errors import RigforgeError, UsageError
from rigforge.plain import plain

#: Where Rigforge's service listens on the machine.
JUPYTER = 8888


def connect(host: str, *, port: str, browser: bool, say: Callable[[str], None]) -> None:
    """Opens a tunnel to the Jupyter of a machine, then the browser or, without one, prints the address; until Ctrl-C.

    `port` is the one on this computer, "" for a free one. Raises RigforgeError, UsageError.
    """
    _checked(host)
    for tries_left in (2, 1, 0):
        try:
            _through(host, _local_port(port), JUPYTER, browser, say)
            return
        except PortTakenError:
            # Somebody was quicker; unless it has to be this port, there are others.
            if port or not tries_left:
                raise


def _through(host: str, local: int, remote: int, browser: bool, say: Callable[[str], None]) -> None:
    with tunnel(host, local, remote) as (opened, answer):
        server = _server(host, answer)
        if server.port == remote:
            address = f"{'https' if server.secure else 'http'}://127.0.0.1:{local}{server.base_url}"
            _check(opened, f"{address}api", host)
            try:
                _show(f"{address}lab" + (f"?token={server.token}" if server.token else ""), browser, say)
                if server.secure:
                    say("The browser warns of the machine's own certificate; in the tunnel it is safe to go on")
                say(f"JupyterLab of {host}: port {local} of this computer, until Ctrl-C")
                opened.wait()
            except KeyboardInterrupt:
                say("Closed; what runs on the machine goes on")
                return
    # A second user's, on another port than the one that was guessed.
    _through(host, local, server.port, browser, say)


def code(host: str) -> str:
    """Returns the command that opens the user's home on the machine in Visual Studio Code, as a line for a shell.

    Raises RigforgeError.
    """
    with tunnel(_checked(host), 0, 0) as (_, answer):
        return shlex.join(["code", "--remote", f"ssh-remote+{host}", answer.home])


def _checked(host: str) -> str:
    if not host or host.startswith("-") or any(letter.isspace() for letter in host) or plain(host) != host:
        raise UsageError(
            f"{host!r} is not a machine's name",
            "for example: connect gpubox, or connect ada@192.0.2.7; options: rigforge --help connect",
        )
    return host


def _local_port(wanted: str) -> int:
    """Returns the port on this computer: the one that is wanted, else Jupyter's own where it is free, else any."""
    if wanted and not (wanted.isdecimal() and 0 < int(wanted) < 65536):
        raise UsageError(f"--port {wanted}: is not a port", "a number from 1 to 65535")
    for port in (int(wanted),) if wanted else (JUPYTER, 0):
        with socket.socket() as probe:
            if os.name == "posix":  # as ssh does: a connection that ended a minute ago holds no port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise PortTakenError(f"port {wanted} of this computer is taken", "leave --port out, and a free one is found")


def _server(host: str, answer: RemoteAnswer) -> Server:
    if answer.server:
        return answer.server
    if answer.service:
        raise RigforgeError(
            f"JupyterLab does not run on {host}: jupyter.service is {answer.service}",
            f"why: ssh {host} journalctl --user --unit jupyter; start it: ssh {host} systemctl --user start jupyter",
        )
    raise RigforgeError(
        f"no Jupyter of yours runs on {host}", f"start one: ssh {host} jupyter lab --no-browser; then connect again"
    )


def _check(opened: Tunnel, address: str, host: str) -> None:
    """Asks Jupyter something through the tunnel: that ssh listens here does not mean that somebody answers there."""
    # The certificate is the machine's own, and SSH has made sure that it is the machine.
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    # Without the proxies of the environment.
    direct = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=unchecked)
    )
    try:
        direct.open(address, timeout=30).close()
    except urllib.error.HTTPError:
        return
    except OSError:
        raise opened.failure() from None


def _show(address: str, browser: bool, say: Callable[[str], None]) -> None:
    if not browser:
        print(address, flush=True)
    elif not webbrowser.open(address):
        say("No browser was found; open this:")
        print(address, flush=True)
