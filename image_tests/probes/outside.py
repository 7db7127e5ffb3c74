"""Tries, from another machine's place in the network, what of this machine can be reached: run as root.

That place is a network namespace with a cable of its own; the packets pass the firewall as those of any other machine.
Arguments: the machine's mDNS name, then ports as 8888/tcp. Prints which ports were asked and which answered, all TCP
ports of the machine that let one in, and the addresses that the name was answered with.
"""

from __future__ import annotations

import json
import resource
import select
import socket
import struct
import subprocess
import sys
import threading
import time

HERE, THERE = "10.213.7.1", "10.213.7.2"
PLACE = "rigforge-outside"
#: Seconds: without KVM an answer may take this long, and what is dropped never comes.
PATIENCE = 5
#: TCP ports that are knocked at together, and the seconds after which it is looked which of them let one in: less than
#: the kernel waits before it knocks again.
BATCH, MOMENT = 1024, 0.2


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def listen(port: int, protocol: str) -> socket.socket | None:
    """Listens on a port and answers whatever comes, as long as the socket is kept; None where somebody else does."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    server = socket.socket(socket.AF_INET, kind)
    try:
        server.bind(("", port))
    except OSError:
        return None
    if protocol == "tcp":
        server.listen()
    else:
        threading.Thread(target=echo, args=(server,), daemon=True).start()
    return server


def echo(server: socket.socket) -> None:
    while True:
        data, sender = server.recvfrom(64)
        server.sendto(data, sender)


def enter() -> None:
    """Takes this thread over to the other place."""
    import ctypes

    with open(f"/run/netns/{PLACE}") as place:  # noqa: PTH123
        if ctypes.CDLL(None, use_errno=True).setns(place.fileno(), 0):
            raise OSError(ctypes.get_errno(), "setns")


def answers(port: int, protocol: str) -> bool:
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as client:
        client.settimeout(PATIENCE)
        try:
            client.connect((HERE, port))
            if protocol == "udp":
                client.send(b"?")
                client.recv(64)
        except OSError:
            return False
        return True


def open_ports() -> list[int]:
    """Knocks at every TCP port, and returns those that let one in."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (BATCH + 64, BATCH + 64))
    found = []
    for first in range(1, 65536, BATCH):
        waiting, answered = {}, select.poll()
        for port in range(first, min(first + BATCH, 65536)):
            client = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            client.connect_ex((HERE, port))
            answered.register(client, select.POLLOUT)
            waiting[client.fileno()] = port, client
        time.sleep(MOMENT)
        for number, _ in answered.poll(0):
            port, client = waiting[number]
            if client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                found.append(port)
    return sorted(found)


def resolve(name: str) -> list[str]:
    """Asks for a name by multicast (RFC 6762), with an answer to ourselves alone."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = struct.pack(">6H", 0, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 0x8001)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(THERE))
        client.settimeout(1)
        # avahi takes a moment to be on a new interface.
        for _ in range(30):
            client.sendto(question, ("224.0.0.251", 5353))
            try:
                answer = client.recv(1500)
            except OSError:
                continue
            return [socket.inet_ntoa(answer[-4:])]
    return []


def main() -> None:
    name, *ports = sys.argv[1:]
    pairs = [(int(port.split("/")[0]), port.split("/")[1]) for port in ports]
    ip("netns", "add", PLACE)
    try:
        ip("link", "add", "outside0", "type", "veth", "peer", "name", "eth0", "netns", PLACE)
        ip("address", "add", f"{HERE}/24", "dev", "outside0")
        ip("link", "set", "outside0", "up")
        ip("-n", PLACE, "address", "add", f"{THERE}/24", "dev", "eth0")
        ip("-n", PLACE, "link", "set", "eth0", "up")
        kept = [listen(*pair) for pair in pairs]
        # The kernel's own WireGuard answers nobody whom it does not know.
        asked = [pair for pair, server in zip(pairs, kept, strict=True) if server or pair[1] == "tcp"]
        time.sleep(1)
        enter()
        answered = [pair for pair in asked if answers(*pair)]
        shown = {"asked": asked, "answered": answered}
        found = {key: [f"{port}/{kind}" for port, kind in value] for key, value in shown.items()}
        found["open"] = [f"{port}/tcp" for port in open_ports()]
        found["name"] = resolve(name)
        del kept
    finally:
        ip("netns", "delete", PLACE)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
