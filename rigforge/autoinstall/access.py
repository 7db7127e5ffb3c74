"""Who and what reaches the machine, of the stack's site values, as commands at the end of the installation.

The machine's first boot comes too late: its SSH server and its firewall start before cloud-init writes files.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from rigforge import console
from rigforge.errors import RigforgeError
from rigforge.installer.login import ALLOWED, allow_users
from rigforge.machine.jupyter import PORT
from rigforge.stack.model import Stack

#: Read by the machine's firewall (rigforge/machine/firewall.nft).
PORTS = "etc/rigforge/firewall.d/site.nft"

#: Read by the machine's JupyterLab (rigforge/machine/user_units/jupyter.service).
JUPYTER = "etc/rigforge/jupyter.conf"

#: Where a machine makes its WireGuard keys, for hints.
KEY_HINT = 'key = "/etc/wireguard/{name}.key" lets the machine make its key, and its report shows the public half'


def open_ports(stack: Stack) -> tuple[str, ...]:
    """Returns the ports that are open besides SSH's: the stack's, JupyterLab's, and those of WireGuard's interfaces.

    Raises RigforgeError for a port of WireGuard that is none.
    """
    ports = list(stack.firewall.open)
    if stack.jupyter.listen == "lan":
        ports.append(f"{PORT}/tcp")
    for name, tunnel in wireguard(stack.network):
        port = tunnel.get("port")
        if port is None:
            continue
        if type(port) is not int or not 1 <= port <= 65535:
            raise RigforgeError(
                f"stack {stack.name}: network.tunnels.{name}.port: must be a number from 1 to 65535", "port = 51820"
            )
        ports.append(f"{port}/udp")
    return tuple(dict.fromkeys(ports))


def commands(stack: Stack) -> list[str]:
    """Returns the late-commands that open the ports and have JupyterLab listen to others; none where all is closed."""
    lines = []
    if ports := open_ports(stack):
        lines.append(_written(PORTS, ports_file(ports)))
    if stack.jupyter.listen == "lan":
        lines.append(_written(JUPYTER, "RIGFORGE_JUPYTER_LISTEN=lan\n"))
    return lines


def allowing(username: str) -> str:
    """Returns the late-command by which only this user may log in over SSH (our own installer does it by itself)."""
    return _written(ALLOWED, allow_users([username]))


def ports_file(ports: tuple[str, ...]) -> str:
    """Returns nft's words for these ports.

    >>> ports_file(("8888/tcp", "51820/udp"))
    'add element inet rigforge open_tcp { 8888 }\\nadd element inet rigforge open_udp { 51820 }\\n'
    """
    lines = []
    for protocol in ("tcp", "udp"):
        if numbers := [port.removesuffix(f"/{protocol}") for port in ports if port.endswith(f"/{protocol}")]:
            lines.append(f"add element inet rigforge open_{protocol} {{ {', '.join(numbers)} }}\n")
    return "".join(lines)


def warn_of_keys(stack: Stack) -> None:
    """Warns of each private key of WireGuard that the medium would hold in the clear."""
    for name, tunnel in wireguard(stack.network):
        keys = tunnel.get("keys")
        key = tunnel.get("key") or (keys.get("private") if isinstance(keys, Mapping) else None)
        if isinstance(key, str) and not key.startswith("/"):
            console.warn(
                f"network.tunnels.{name}: the private key is in the clear on the medium; {KEY_HINT.format(name=name)}"
            )


def wireguard(network: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields the WireGuard interfaces of a netplan configuration, with their names."""
    tunnels = network.get("tunnels")
    for name, tunnel in (tunnels if isinstance(tunnels, Mapping) else {}).items():
        if isinstance(tunnel, Mapping) and tunnel.get("mode") == "wireguard":
            yield name, tunnel


def _written(path: str, text: str) -> str:
    target = PurePosixPath("/target") / path
    return f"mkdir -p {target.parent} && printf %s {shlex.quote(text)} >{target}"
