"""What a machine and its user may be called, in the stack, in a document and on the machine alike."""

from __future__ import annotations

import pytest

from rigforge.errors import RigforgeError
from rigforge.installer.document import DocumentError, parse
from rigforge.rules.names import RESERVED, is_hostname, is_username
from rigforge.stack.load import load

HOSTNAMES = {
    "gpu1": True,
    "gpu1.lab.example": True,
    "a" * 63: True,
    "a" * 64: False,
    f"{'a' * 32}.{'b' * 31}": True,
    f"{'a' * 32}.{'b' * 32}": False,
    "gpu_1": False,
    "-gpu": False,
    "gpu-": False,
    "gpu1.": False,
    "gpü": False,
    "": False,
}

USERNAMES = {"ada": True, "_x-1": True, "a" * 32: True, "a" * 33: False, "Ada": False, "1ada": False, "": False}


def test_host_names() -> None:
    assert {name: is_hostname(name) for name in HOSTNAMES} == HOSTNAMES


def test_user_names() -> None:
    assert {name: is_username(name) for name in USERNAMES} == USERNAMES
    assert {"root", "docker", "nvidia-persistenced", "systemd-network"} <= RESERVED


@pytest.mark.parametrize(("key", "names"), [("hostname", HOSTNAMES), ("user", USERNAMES)])
def test_a_stack_and_a_document_agree_on_them(key: str, names: dict[str, bool]) -> None:
    def taken_by_stack(name: str) -> bool:
        try:
            load("smoke", sets=[f"{key}={name}"])
        except RigforgeError:
            return False
        return True

    def taken_by_installer(name: str) -> bool:
        identity = {"hostname": "gold", "user": "rig", key: name}
        text = f"version: 1\nidentity: {{hostname: '{identity['hostname']}', username: '{identity['user']}'}}\n"
        try:
            parse(f"{text}ssh: {{authorized-keys: ['{KEY}']}}\n", "here")
        except DocumentError:
            return False
        return True

    given = [name for name in names if name]
    assert [(name, taken_by_stack(name), taken_by_installer(name)) for name in given] == [
        (name, names[name], names[name]) for name in given
    ]


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f rig@desk"
