"""Services that make the machine reachable and safe: SSH, Jupyter, clock, firewall."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rigforge.doctor.check import Check, Topic
from rigforge.doctor.machine import Machine

SSH = Topic("ssh", "A machine on a network is tried with passwords within the hour.")
JUPYTER = Topic("jupyter", "A notebook server is a shell for everyone who reaches it.")
CLOCK = Topic("clock", "A wrong clock breaks HTTPS, tokens and the order of logs.")
FIREWALL = Topic("firewall", "What listens by accident is reached by nobody.")


def checks(machine: Machine) -> Iterator[Check]:
    if machine.container:
        yield from (topic.not_applicable("the host's, in a container") for topic in (SSH, JUPYTER, CLOCK, FIREWALL))
        return
    yield SSH.of(lambda: _ssh(machine))
    yield JUPYTER.of(lambda: _jupyter(machine))
    if machine.wsl:
        yield from (topic.not_applicable("Windows's, in WSL") for topic in (CLOCK, FIREWALL))
        return
    yield CLOCK.of(lambda: _clock(machine))
    yield FIREWALL.of(lambda: _firewall(machine))


def _ssh(machine: Machine) -> Check:
    answer = machine.ask("sshd", "-T")
    if answer is None:
        return SSH.not_applicable("no SSH server is installed")
    if answer.code:
        words = answer.complaint.splitlines()[-1:] or [f"sshd -T ended with {answer.code}"]
        reason = "run it again with sudo" if not machine.superuser else words[0]
        return SSH.not_applicable(f"its configuration cannot be read: {reason}")
    settings = dict(line.partition(" ")[::2] for line in answer.output.splitlines())
    file = "/etc/ssh/sshd_config.d/local.conf && sudo systemctl reload ssh"
    if settings.get("permitrootlogin") == "yes":
        return SSH.failed("root may log in with a password", f"echo 'PermitRootLogin no' | sudo tee {file}")
    if settings.get("passwordauthentication") == "yes":
        return SSH.warning("passwords are accepted", f"echo 'PasswordAuthentication no' | sudo tee {file}")
    return SSH.ok("keys only, no root")


def _jupyter(machine: Machine) -> Check:
    listening = _listening(machine, 8888)
    if not listening:
        return JUPYTER.not_applicable("nothing listens on port 8888")
    if listening <= {"127.0.0.1", "::1"}:
        return JUPYTER.ok("listens on this machine only")
    if "RIGFORGE_JUPYTER_LISTEN=lan" in machine.text("etc/rigforge/jupyter.conf").split():
        return JUPYTER.ok(f"listens on {', '.join(sorted(listening))}, as /etc/rigforge/jupyter.conf asks")
    return JUPYTER.warning(
        f"listens on {', '.join(sorted(listening))}", "bind it to 127.0.0.1 and use: ssh -L 8888:127.0.0.1:8888 HOST"
    )


def _listening(machine: Machine, port: int) -> set[str]:
    """Returns the local addresses on which a TCP port is listened on (proc(5): state 0A)."""
    ports = set()
    for line in machine.text("proc/net/tcp").splitlines()[1:]:
        fields = line.split()
        address, _, number = fields[1].partition(":")
        if fields[3] == "0A" and int(number, 16) == port:
            ports.add(".".join(str(byte) for byte in reversed(bytes.fromhex(address))))
    for line in machine.text("proc/net/tcp6").splitlines()[1:]:
        fields = line.split()
        address, _, number = fields[1].partition(":")
        if fields[3] == "0A" and int(number, 16) == port:
            ports.add("::1" if address == "00000000000000000000000001000000" else "::")
    return ports


def _clock(machine: Machine) -> Check:
    answer = machine.ask("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if not answer or answer.code:
        return CLOCK.not_applicable("systemd does not say")
    if answer.output == "yes":
        return CLOCK.ok("set by the network")
    return CLOCK.warning("not synchronised", "sudo timedatectl set-ntp true; without a network set it by hand")


def _firewall(machine: Machine) -> Check:
    for unit in ("nftables", "ufw", "firewalld"):
        answer = machine.ask("systemctl", "is-active", unit)
        if answer and answer.output == "active":
            if unit == "nftables" and _lets_everything_in(machine):
                return FIREWALL.warning(
                    "nftables is active, but has no rule for what comes in", "write one into /etc/nftables.conf"
                )
            return FIREWALL.ok(f"{unit} is active")
    if not machine.has("systemctl"):
        return FIREWALL.not_applicable("no systemd to ask")
    return FIREWALL.warning("none is active", "sudo systemctl enable --now nftables")


def _lets_everything_in(machine: Machine) -> bool:
    """Says whether no chain of nftables turns an incoming packet away; false where only root may know."""
    answer = machine.ask("nft", "list", "ruleset")
    if not answer or answer.code:
        return False
    chains = re.findall(r"hook input\b.*?^\t}", answer.output, re.DOTALL | re.MULTILINE)
    return not any(re.search(r"\b(drop|reject)\b", chain) for chain in chains)
