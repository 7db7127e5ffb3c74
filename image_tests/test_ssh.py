"""Who can log in from outside: holders of a key, and nobody else."""

from __future__ import annotations

import pytest
from testinfra.host import Host

from rigforge.verify.expectations import Expectations

pytestmark = pytest.mark.needs("machine")


@pytest.fixture(scope="module")
def server(host: Host) -> dict[str, str]:
    """The SSH server's settings as they are in effect."""
    with host.sudo():
        lines = host.check_output("/usr/sbin/sshd -T").splitlines()
    return dict(line.split(" ", 1) for line in lines if " " in line)


def offered(host: Host, user: str) -> str:
    """What the server still offers to somebody who has no key."""
    options = "-o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o PubkeyAuthentication=no"
    # testinfra takes ssh's own exit code for a failure of the connection it works over.
    attempt = host.run(f"! ssh {options} %s true", f"{user}@127.0.0.1")
    assert attempt.rc == 0, "logged in without a key"
    return str(attempt.stderr)


def test_takes_keys(server: dict[str, str]) -> None:
    assert server["pubkeyauthentication"] == "yes"


def test_refuses_passwords(host: Host, server: dict[str, str], expected: Expectations) -> None:
    assert server["passwordauthentication"] == "no"
    assert server["kbdinteractiveauthentication"] == "no"
    assert "Permission denied (publickey)." in offered(host, expected.username)


def test_takes_the_machines_user_and_nobody_else(host: Host, server: dict[str, str], expected: Expectations) -> None:
    assert server["allowusers"] == expected.username
    assert host.file("/etc/ssh/sshd_config.d/rigforge-users.conf").user == "root"


def test_uses_the_distributions_algorithms(host: Host) -> None:
    """Whoever names algorithms today keeps the weak ones of tomorrow."""
    named = "grep --extended-regexp --ignore-case --recursive '^(Ciphers|MACs|KexAlgorithms|HostKeyAlgorithms)'"
    assert host.run(f"{named} /etc/ssh/sshd_config /etc/ssh/sshd_config.d").stdout == ""


def test_refuses_root(host: Host, server: dict[str, str]) -> None:
    assert server["permitrootlogin"] == "no"
    assert "Permission denied (publickey)." in offered(host, "root")
