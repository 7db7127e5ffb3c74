"""What makes a copy of the layers into one machine."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rigforge.installer.configure import forget_identity, write_secret, write_seed
from tests.installer.documents import HASH, document, read


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """The folders that every copied system has."""
    for folder in ("etc/ssh", "etc/cloud/cloud.cfg.d", "etc/default", "var/lib/dbus", "var/lib/systemd"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def test_no_two_machines_share_an_identity(target: Path) -> None:
    (target / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    (target / "var/lib/systemd/random-seed").write_bytes(b"seed")
    (target / "var/lib/rigforge").mkdir()
    (target / "var/lib/rigforge/cards.json").write_text('{"cards": []}')
    for name in ("ssh_host_ed25519_key", "ssh_host_ed25519_key.pub", "sshd_config"):
        (target / "etc/ssh" / name).write_text(name)
    (target / "var/lib/dbus/machine-id").symlink_to("/etc/machine-id")
    forget_identity(target)
    assert (target / "etc/machine-id").read_bytes() == b""
    assert [path.name for path in (target / "etc/ssh").iterdir()] == ["sshd_config"]
    assert not (target / "var/lib/systemd/random-seed").exists()
    assert not (target / "var/lib/rigforge/cards.json").exists()
    assert (target / "var/lib/dbus/machine-id").is_symlink()


def test_a_copy_without_any_identity_is_left_as_it_is(target: Path) -> None:
    forget_identity(target)
    assert (target / "etc/machine-id").read_bytes() == b""


def test_the_seed_is_where_cloud_init_is_told_to_look(target: Path) -> None:
    write_seed(target, read(document()), "an-instance")
    folder = target / "var/lib/cloud/seed/nocloud"
    assert yaml.safe_load((folder / "meta-data").read_text())["instance-id"] == "an-instance"
    assert sorted(path.name for path in folder.iterdir()) == ["meta-data", "network-config", "user-data"]
    datasource = yaml.safe_load((target / "etc/cloud/cloud.cfg.d/90-rigforge.cfg").read_text())
    assert datasource["datasource_list"] == ["NoCloud", "None"]


def test_the_password_hash_can_be_read_by_root_only(target: Path) -> None:
    identity = {"hostname": "gold", "username": "rig", "password": HASH}
    write_seed(target, read(document(identity=identity)), "an-instance")
    readable = [path for path in target.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]
    assert not [path for path in readable if HASH in path.read_text()]
    assert HASH in (target / "var/lib/cloud/seed/nocloud/user-data").read_text()


def test_only_the_documents_users_log_in_over_ssh_from_the_first_start_of_the_server_on(target: Path) -> None:
    write_seed(target, read(document(user_data={"users": [{"name": "guest"}]})), "an-instance")
    assert (target / "etc/ssh/sshd_config.d/rigforge-users.conf").read_text() == "AllowUsers rig guest\n"


def test_the_machine_has_its_name_and_keyboard_before_cloud_init_runs(target: Path) -> None:
    identity = {"hostname": "gold.example.org", "username": "rig"}
    write_seed(target, read(document(identity=identity, keyboard={"layout": "de"})), "an-instance")
    assert (target / "etc/hostname").read_text() == "gold\n"
    assert "127.0.1.1 gold.example.org gold\n" in (target / "etc/hosts").read_text()
    assert 'XKBLAYOUT="de"\n' in (target / "etc/default/keyboard").read_text()


def test_a_file_that_others_could_read_no_longer_is(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_secret(path.parent, path.name, "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)
