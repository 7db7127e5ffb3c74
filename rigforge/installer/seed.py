"""The NoCloud seed: what cloud-init does on the first boot of the installed system."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from rigforge.installer.document import Document, Keyboard

#: Where the seed lies on the installed system. It holds the password's hash: only root may read it (0600).
DIRECTORY = "var/lib/cloud/seed/nocloud"

#: For /etc/cloud/cloud.cfg.d of the installed system. By default cloud-init would let any volume labelled CIDATA
#: override the seed: the stick with the autoinstall document, left in, would make a machine without a user.
DATASOURCE = "datasource_list: [NoCloud, None]\ndatasource: {NoCloud: {fs_label: null}}\n"

#: The user's groups besides his own. Not docker: that would be root without the password that sudo asks for.
GROUPS = ["adm", "sudo", "video", "render"]


def seed(document: Document, instance_id: str) -> dict[str, str]:
    """Returns the seed's files by name: user-data, meta-data, network-config.

    cloud-init does its work once for each `instance_id`; a new installation needs a new one.
    """
    user_data = _merged(_user_data(document), document.user_data)
    meta_data = {"instance-id": instance_id, "local-hostname": document.identity.hostname}
    return {
        "user-data": "#cloud-config\n" + _yaml(user_data),
        "meta-data": _yaml(meta_data),
        "network-config": _yaml(document.network),
    }


def keyboard_file(keyboard: Keyboard) -> str:
    """Returns /etc/default/keyboard, keyboard(5).

    The initramfs needs it as well where it asks for a passphrase, so before the first boot.
    """
    return (
        'XKBMODEL="pc105"\n'
        f'XKBLAYOUT="{keyboard.layout}"\n'
        f'XKBVARIANT="{keyboard.variant}"\n'
        'XKBOPTIONS=""\n'
        'BACKSPACE="guess"\n'
    )


def hosts_file(hostname: str) -> str:
    """Returns /etc/hosts, hosts(5), with Debian's address for the machine's own name."""
    names = [hostname, hostname.split(".")[0]] if "." in hostname else [hostname]
    return (
        "127.0.0.1 localhost\n"
        f"127.0.1.1 {' '.join(names)}\n"
        "\n"
        "::1 localhost ip6-localhost ip6-loopback\n"
        "ff02::1 ip6-allnodes\n"
        "ff02::2 ip6-allrouters\n"
    )


def _user_data(document: Document) -> dict[str, Any]:
    hostname = document.identity.hostname
    return {
        "hostname": hostname.split(".")[0],
        **({"fqdn": hostname} if "." in hostname else {}),
        "users": [_user(document)],
        "disable_root": True,
        "ssh_pwauth": document.ssh.allow_pw,
        # No RSA: every client of the last ten years knows these, and no one waits for a key that takes a slow processor
        # eight seconds.
        "ssh_genkeytypes": ["ed25519", "ecdsa"],
        "locale": document.locale,
        "timezone": document.timezone,
        "write_files": _files(document),
        # The disk was laid out by the installer.
        "growpart": {"mode": "off"},
        "resize_rootfs": False,
    }


def _user(document: Document) -> dict[str, Any]:
    identity = document.identity
    user: dict[str, Any] = {"name": identity.username, "groups": GROUPS, "shell": "/bin/bash"}
    if identity.realname:
        user["gecos"] = identity.realname
    if document.ssh.authorized_keys:
        user["ssh_authorized_keys"] = list(document.ssh.authorized_keys)
    if identity.password is None:
        # The group sudo asks for the user's password, and there is none.
        return {**user, "lock_passwd": True, "sudo": "ALL=(ALL) NOPASSWD:ALL"}
    return {**user, "lock_passwd": False, "hashed_passwd": identity.password}


def _files(document: Document) -> list[dict[str, str]]:
    files = {
        "/etc/hosts": hosts_file(document.identity.hostname),
        # cloud-init's own keyboard module needs D-Bus and fails where console-setup is not running yet.
        "/etc/default/keyboard": keyboard_file(document.keyboard),
    }
    if document.locale != "C.UTF-8":
        # Debian's locale-gen ignores the name that cloud-init gives it, and makes what this file lists.
        files["/etc/locale.gen"] = f"{document.locale} UTF-8\n"
    return [{"path": path, "content": content} for path, content in files.items()]


def _merged(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Returns both: mappings are merged, lists joined, and of two other values `theirs` counts."""
    result = dict(ours)
    for key, value in theirs.items():
        mine = result.get(key)
        if isinstance(mine, Mapping) and isinstance(value, Mapping):
            result[key] = _merged(mine, value)
        elif isinstance(mine, list) and isinstance(value, list) and key in ("users", "write_files"):
            result[key] = [*mine, *value]
        else:
            result[key] = value
    return result


class _Dumper(yaml.SafeDumper):
    """Writes YAML for people to read: no aliases, and files as they are."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)


def _yaml(value: Mapping[str, Any]) -> str:
    return yaml.dump(dict(value), Dumper=_Dumper, sort_keys=False, width=10_000)
