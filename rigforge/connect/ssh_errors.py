"""What is wrong when ssh fails, in words that say what to do."""

from __future__ import annotations

from rigforge.errors import RigforgeError

#: Another program was quicker to take the port here.
TAKEN = ("Address already in use", "cannot listen to port", "Could not request local forwarding")

#: What ssh(1) or the far side's shell says, what it means, and the cure; the first that fits counts. {host} is as the
#: user gave it, {port} the local port.
MEANINGS = (
    (
        ("REMOTE HOST IDENTIFICATION HAS CHANGED",),
        "{host} shows another host key than the last time",
        "after a new installation that is as it should be, and `ssh {host}` says which key to remove; otherwise "
        "somebody else may be answering",
    ),
    (
        ("Host key verification failed",),
        "the host key of {host} was not accepted",
        "run: ssh {host}, and compare the fingerprint with the one on the machine's screen",
    ),
    (
        ("Permission denied", "Too many authentication failures"),
        "{host} does not let you in",
        "is it the machine's user (USER@HOST), and does this computer have the key (ssh-add -l, or IdentityFile in "
        "~/.ssh/config)?",
    ),
    (
        ("Could not resolve hostname",),
        "no machine is called {host}",
        "give its address, or its name with .local; the machine shows both on its screen",
    ),
    (
        ("open failed: connect failed",),
        "Jupyter on {host} does not answer",
        "start it anew: ssh {host} systemctl --user restart jupyter",
    ),
    (
        ("Connection refused",),
        "{host} is there, but has no SSH server on that port",
        "is the machine still starting? Another port goes into ~/.ssh/config, or: ssh://USER@HOST:PORT",
    ),
    (
        ("timed out", "No route to host", "Network is unreachable", "Host is down", "Network is down"),
        "{host} cannot be reached",
        "is it switched on, and in the same network as this computer?",
    ),
    (
        TAKEN,
        "port {port} of this computer is taken",
        "leave --port out, and a free one is found; another one that ssh names is asked for in ~/.ssh/config",
    ),
    (
        ("python3: command not found", "python3: not found", "'python3' is not recognized"),
        "{host} has no python3",
        "is it a machine with Jupyter?",
    ),
    (
        ("administratively prohibited",),
        "the SSH server of {host} forwards no ports",
        "on the machine, in /etc/ssh/sshd_config.d: AllowTcpForwarding yes",
    ),
)


class PortTakenError(RigforgeError):
    """The tunnel has no end here."""


def failure(host: str, port: int, said: list[str]) -> RigforgeError:
    """Returns the error for what ssh said, a line each, when it ended before the tunnel stood."""
    for phrases, meaning, cure in MEANINGS:
        if found := [line for phrase in phrases for line in reversed(said) if phrase in line]:
            words = found[0].strip(" @\r\n").removeprefix("ssh: ")
            kind = PortTakenError if phrases is TAKEN else RigforgeError
            return kind(f"{meaning.format(host=host, port=port)} (ssh: {words})", cure.format(host=host))
    last = next((line.strip() for line in reversed(said) if line.strip()), "no reason given")
    return RigforgeError(f"ssh to {host} failed: {last}", f"does this work: ssh {host}")
