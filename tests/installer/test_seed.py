"""What the first boot of the installed system is told to do."""

from __future__ import annotations

from typing import Any

import yaml

from rigforge.installer.seed import DATASOURCE, seed
from tests.installer.documents import HASH, KEY, document, identity, read


def files(**sections: Any) -> dict[str, str]:
    return seed(read(document(**sections)), "iid-1")


def user_data(**sections: Any) -> dict[str, Any]:
    text = files(**sections)["user-data"]
    assert text.startswith("#cloud-config\n")
    found = yaml.safe_load(text)
    assert isinstance(found, dict)
    return found


def written(config: dict[str, Any]) -> dict[str, str]:
    return {file["path"]: file["content"] for file in config["write_files"]}


def test_the_seed_has_the_three_files_of_nocloud() -> None:
    assert set(files()) == {"user-data", "meta-data", "network-config"}
    assert yaml.safe_load(files()["meta-data"]) == {"instance-id": "iid-1", "local-hostname": "gold"}


def test_the_same_document_gives_the_same_bytes_in_ascii() -> None:
    sections: dict[str, Any] = {"identity": identity(realname="Rig Förge 😀")}
    assert files(**sections) == files(**sections)
    assert files(**sections)["user-data"].isascii()
    assert user_data(**sections)["users"][0]["gecos"] == "Rig Förge 😀"


def test_without_a_password_the_user_has_the_key_and_sudo_does_not_ask() -> None:
    config = user_data()
    (user,) = config["users"]
    assert user["name"] == "rig"
    assert "sudo" in user["groups"] and "docker" not in user["groups"]
    assert user["ssh_authorized_keys"] == [KEY]
    assert user["lock_passwd"] is True
    assert user["sudo"] == "ALL=(ALL) NOPASSWD:ALL"
    assert "hashed_passwd" not in user
    assert (config["ssh_pwauth"], config["disable_root"]) == (False, True)


def test_with_a_password_sudo_asks_for_it() -> None:
    config = user_data(identity=identity(password=HASH))
    (user,) = config["users"]
    assert (user["hashed_passwd"], user["lock_passwd"]) == (HASH, False)
    assert "sudo" not in user and "sudo" in user["groups"]
    assert config["ssh_pwauth"] is False


def test_ssh_takes_the_password_only_where_the_document_allows_it() -> None:
    assert user_data(identity=identity(password=HASH), ssh={"allow-pw": True})["ssh_pwauth"] is True
    assert user_data(identity=identity(password=HASH), ssh={"allow-pw": False})["ssh_pwauth"] is False


def test_the_host_name_with_its_domain_is_in_etc_hosts() -> None:
    config = user_data(identity=identity(hostname="gold.example.org"))
    assert (config["hostname"], config["fqdn"]) == ("gold", "gold.example.org")
    lines = written(config)["/etc/hosts"].splitlines()
    assert "127.0.0.1 localhost" in lines and "127.0.1.1 gold.example.org gold" in lines

    plain = user_data()
    assert plain["hostname"] == "gold" and "fqdn" not in plain
    assert "127.0.1.1 gold" in written(plain)["/etc/hosts"].splitlines()


def test_locale_time_zone_and_keyboard() -> None:
    config = user_data(
        locale="de_AT.UTF-8", timezone="Europe/Vienna", keyboard={"layout": "de", "variant": "nodeadkeys"}
    )
    assert (config["locale"], config["timezone"]) == ("de_AT.UTF-8", "Europe/Vienna")
    assert written(config)["/etc/locale.gen"] == "de_AT.UTF-8 UTF-8\n"
    keyboard = written(config)["/etc/default/keyboard"].splitlines()
    assert 'XKBLAYOUT="de"' in keyboard and 'XKBVARIANT="nodeadkeys"' in keyboard


def test_a_locale_that_needs_no_making_is_not_made() -> None:
    assert "/etc/locale.gen" not in written(user_data(locale="C.UTF-8"))


def test_nothing_is_fetched_and_no_disk_changed() -> None:
    config = user_data()
    assert not [key for key in config if key.startswith("package")]
    assert (config["growpart"], config["resize_rootfs"]) == ({"mode": "off"}, False)


def test_the_network_is_that_of_the_document() -> None:
    network = {"version": 2, "ethernets": {"eno1": {"addresses": ["192.0.2.7/24"], "mtu": 9000}}}
    assert yaml.safe_load(files(network={"network": network})["network-config"]) == network


def test_the_documents_own_user_data_is_merged_in() -> None:
    config = user_data(
        user_data={
            "users": [{"name": "second"}],
            "write_files": [{"path": "/etc/motd", "content": "hello\n"}],
            "runcmd": [["touch", "/ran"]],
            "growpart": {"devices": ["/data"]},
            "resize_rootfs": True,
            "ssh_genkeytypes": ["ed25519"],
        }
    )
    assert [user["name"] for user in config["users"]] == ["rig", "second"]
    assert {"/etc/motd", "/etc/hosts"} <= set(written(config))
    assert config["runcmd"] == [["touch", "/ran"]]
    assert config["growpart"] == {"mode": "off", "devices": ["/data"]}
    assert config["resize_rootfs"] is True
    assert config["ssh_genkeytypes"] == ["ed25519"]


def test_making_a_seed_leaves_the_document_as_it_is() -> None:
    found = read(document(user_data={"users": [{"name": "second"}]}))
    assert seed(found, "iid-1") == seed(found, "iid-1")


def test_the_installed_system_takes_no_seed_from_a_stick() -> None:
    assert yaml.safe_load(DATASOURCE) == {
        "datasource_list": ["NoCloud", "None"],
        "datasource": {"NoCloud": {"fs_label": None}},
    }
