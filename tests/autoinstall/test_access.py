"""Which ports a machine opens, and what is said of keys on the medium."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from rigforge.autoinstall import document, ubuntu
from rigforge.autoinstall.access import JUPYTER, PORTS, commands
from rigforge.errors import RigforgeError
from rigforge.stack.load import load
from rigforge.stack.model import Stack

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKa1ZOKl1nIskXRCHU+rQb0nYBMZL7sMskVr+D9ktLGv someone@example"
PRIVATE = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="

TUNNEL = """network={version = 2, ethernets = {lan = {match = {name = "e*"}, dhcp4 = true, wakeonlan = true}},
tunnels = {wg0 = {mode = "wireguard", port = 51820, addresses = ["10.200.0.1/24"], KEY, peers = [
{keys = {public = "H4r4mMdRGOdiRD7zCSdUbVJ8tFMYg4U1kVLlhVmDkRo="}, allowed-ips = ["10.200.0.2/32"]}]}}}""".replace(
    "\n", " "
)


def stack(*sets: str, name: str = "smoke") -> Stack:
    return load(name, sets=(f"machine.ssh_authorized_keys=['{KEY}']", *sets))


def tunnel(key: str) -> str:
    return TUNNEL.replace("KEY", key)


def written(found: Stack, tmp_path: Path) -> str:
    """What the late-commands leave in the installed system."""
    for command in commands(found):
        subprocess.run(["sh", "-euc", command.replace("/target", str(tmp_path))], check=True)
    file = tmp_path / PORTS
    return file.read_text() if file.exists() else ""


def test_nothing_but_ssh_is_open_by_itself(tmp_path: Path) -> None:
    assert written(stack(), tmp_path) == ""


def test_the_firewall_gets_the_ports_of_the_site_and_of_wireguard(tmp_path: Path) -> None:
    found = stack(tunnel('key = "/etc/wireguard/wg0.key"'), "firewall.open=['8888/tcp', '9000-9010/tcp', '60000/udp']")
    assert written(found, tmp_path).splitlines() == [
        "add element inet rigforge open_tcp { 8888, 9000-9010 }",
        "add element inet rigforge open_udp { 60000, 51820 }",
    ]


def test_jupyter_for_the_network_is_told_so_and_its_port_opened(tmp_path: Path) -> None:
    assert written(stack("jupyter.listen=lan"), tmp_path) == "add element inet rigforge open_tcp { 8888 }\n"
    assert (tmp_path / JUPYTER).read_text() == "RIGFORGE_JUPYTER_LISTEN=lan\n"


@pytest.mark.parametrize("port", ["'51820 }; flush ruleset; #'", "0", "true"])
def test_what_is_no_port_never_reaches_the_firewall(port: str) -> None:
    network = f"network={{version = 2, tunnels = {{wg0 = {{mode = 'wireguard', port = {port}}}}}}}"
    with pytest.raises(RigforgeError, match=r"network\.tunnels\.wg0\.port: must be a number"):
        commands(stack(network))


def test_both_installers_are_given_them() -> None:
    opened = "firewall.open=['8888/tcp']"
    ours = document.render(stack(opened))
    canonicals = ubuntu.render(stack(opened, name="ubuntu-24.04"), "linux-image-6.8.0-88-generic", "24.04")
    for text in (ours, canonicals):
        assert commands(stack(opened))[0] in yaml.safe_load(text)["late-commands"]


@pytest.mark.parametrize("key", [f'key = "{PRIVATE}"', f'keys = {{private = "{PRIVATE}"}}'])
def test_a_private_key_on_the_medium_is_warned_of_and_not_quoted(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    document.render(stack(tunnel(key)))
    said = " ".join(capsys.readouterr().err.split())
    assert "network.tunnels.wg0: the private key is in the clear" in said
    assert 'key = "/etc/wireguard/wg0.key"' in said
    assert PRIVATE not in said


def test_a_key_that_the_machine_makes_is_as_it_should_be(capsys: pytest.CaptureFixture[str]) -> None:
    found = stack(tunnel('key = "/etc/wireguard/wg0.key"'))
    document.render(found)
    ubuntu.render(stack(tunnel('key = "/etc/wireguard/wg0.key"'), name="ubuntu-24.04"), "linux-image-6", "24.04")
    assert capsys.readouterr().err == ""
