"""The keys of WireGuard interfaces, made on the machine."""

from __future__ import annotations

import base64
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from rigforge.machine.wireguard import close, key_files, make


def test_the_keys_are_those_that_networkd_will_look_for(tmp_path: Path) -> None:
    """What netplan writes for a tunnel whose key is a path, and for a bridge."""
    (tmp_path / "10-netplan-wg0.netdev").write_text(
        "[NetDev]\nName=wg0\nKind=wireguard\n\n[WireGuard]\nPrivateKeyFile=/etc/wireguard/wg0.key\nListenPort=51820\n"
    )
    (tmp_path / "10-netplan-br0.netdev").write_text("[NetDev]\nName=br0\nKind=bridge\n")
    assert key_files(tmp_path) == [Path("/etc/wireguard/wg0.key")]


def test_a_key_comes_with_its_public_half(tmp_path: Path) -> None:
    file = tmp_path / "wireguard/wg0.key"
    assert make(file)
    private = base64.b64decode(file.read_text())
    public = X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    assert base64.b64decode(file.with_name("wg0.key.pub").read_text()) == public


def test_others_cannot_read_it(tmp_path: Path) -> None:
    make(tmp_path / "wg0.key")
    assert (tmp_path / "wg0.key").stat().st_mode & 0o777 == 0o640


def test_a_key_that_is_there_stays(tmp_path: Path) -> None:
    file = tmp_path / "wg0.key"
    make(file)
    before = file.read_text()
    assert not make(file)
    assert file.read_text() == before


def test_netplans_files_are_closed(tmp_path: Path) -> None:
    file = tmp_path / "50-cloud-init.yaml"
    file.touch(0o644)
    close([file])
    assert file.stat().st_mode & 0o777 == 0o600
