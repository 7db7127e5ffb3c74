"""From a stack's site values to the document on the medium."""

from __future__ import annotations

from pathlib import Path

import pytest

from rigforge.autoinstall.document import render
from rigforge.errors import RigforgeError
from rigforge.installer.document import DiskLayout, Document, Keyboard, parse
from rigforge.rules.disk_match import DiskMatch
from rigforge.stack.load import load
from rigforge.stack.model import Stack
from tests.stack.stack_files import SMALLEST

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKa1ZOKl1nIskXRCHU+rQb0nYBMZL7sMskVr+D9ktLGv someone@example"
HASH = "$6$abcdefgh$yIZAF3gQPvtKZO/9qOJKffAKKbtS3ef3qmwyugk4uWVjX8YZf/GV3A8SkFxEPY0T56CcilGrHKLffBsp6dLMG."


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def stack(site: str = f'[machine]\nssh_authorized_keys = ["{KEY}"]') -> Stack:
    path = Path("test.toml")
    path.write_text(SMALLEST + site, encoding="utf-8")
    return load(path)


def rendered(found: Stack) -> Document:
    return parse(render(found), "rendered")


def complaint(site: str) -> RigforgeError:
    found = stack(site)
    with pytest.raises(RigforgeError) as caught:
        render(found)
    return caught.value


def test_a_stack_with_a_key_gives_a_document_that_the_installer_takes() -> None:
    found = rendered(stack())
    assert found.identity.hostname == "rigforge"
    assert found.ssh.authorized_keys == (KEY,)
    assert not found.ssh.allow_pw
    assert found.storage == DiskLayout("direct")


def test_every_site_value_arrives() -> None:
    found = rendered(
        stack(
            f"""
            [machine]
            hostname = "gpu1"
            username = "ada"
            full_name = "Ada 'the' Lovelace # \\"{{{{ x }}}}\\" ☃ 😀"
            password_hash = "{HASH}"
            ssh_authorized_keys = ["{KEY}"]
            locale = "de_AT.UTF-8"
            timezone = "Europe/Vienna"
            keyboard = {{layout = "de", variant = "nodeadkeys"}}
            [storage]
            layout = "luks"
            passphrase = "no: {{{{yaml}}}} # here"
            match = [{{serial = "S*"}}, {{ssd = true, size = "largest"}}]
            [network]
            version = 2
            ethernets = {{eno1 = {{addresses = ["192.0.2.7/24"], mtu = 9000}}}}
            [install]
            late_commands = ["echo 'a: b'", ["touch", "/target/x"]]
            shutdown = "poweroff"
            """
        )
    )
    assert (found.identity.hostname, found.identity.username) == ("gpu1", "ada")
    assert found.identity.realname == "Ada 'the' Lovelace # \"{{ x }}\" ☃ 😀"
    assert found.identity.password == HASH
    assert (found.locale, found.timezone, found.keyboard) == (
        "de_AT.UTF-8",
        "Europe/Vienna",
        Keyboard("de", "nodeadkeys"),
    )
    assert found.storage == DiskLayout(
        "lvm", (DiskMatch(serial="S*"), DiskMatch(ssd=True, size="largest")), "no: {{yaml}} # here"
    )
    assert found.network["ethernets"] == {"eno1": {"addresses": ["192.0.2.7/24"], "mtu": 9000}}
    assert found.late_commands == ("echo 'a: b'", ("touch", "/target/x"))
    assert found.shutdown == "poweroff"


def test_the_same_stack_gives_the_same_text() -> None:
    assert render(stack()) == render(stack())


def test_a_stack_without_key_and_password_is_refused_with_the_ways_to_give_one() -> None:
    error = complaint("")
    assert error.message.startswith("stack test: machine.ssh_authorized_keys: nobody could log in")
    assert "--set ssh_key=" in error.hint and "site.toml" in error.hint


@pytest.mark.parametrize(
    ("site", "key"),
    [
        (f'[machine]\nssh_authorized_keys = ["{KEY}"]\nusername = "sshd"', "machine.username"),
        (f'[machine]\nssh_authorized_keys = ["{KEY}"]\nhostname = "localhost"', "machine.hostname"),
        (f'[machine]\nssh_authorized_keys = ["{KEY}"]\nlocale = "de_DE.ISO-8859-1"', "machine.locale"),
        (f'[machine]\nssh_authorized_keys = ["{KEY}"]\nkeyboard = {{layout = "us,de"}}', "machine.keyboard.layout"),
        (f'[machine]\npassword_hash = "{HASH[:-9]}"', "machine.password_hash"),
        (
            f'[machine]\nssh_authorized_keys = ["{KEY}"]\n[storage]\nlayout = "luks"\npassphrase = "1234567"',
            "storage.passphrase",
        ),
        (f'[machine]\nssh_authorized_keys = ["{KEY}"]\n[storage]\nmatch = [{{serial = ""}}]', "storage.match.serial"),
        (
            f'[machine]\nssh_authorized_keys = ["{KEY}"]\n[network]\nversion = 2\nethernets = {{a = {{dchp4 = true}}}}',
            "network.ethernets.a",
        ),
    ],
)
def test_what_the_installer_refuses_is_named_by_the_stacks_own_key(site: str, key: str) -> None:
    assert complaint(site).message.startswith(f"stack test: {key}: ")
