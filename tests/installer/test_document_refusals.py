"""What the document may not ask for, and what the message says then."""

from __future__ import annotations

import pytest

from tests.installer.documents import HASH, HASH_OF_NOTHING, KEY, document, identity, layout, refusal

#: A few lines that stand for 10^9 values, by aliases and by merge keys.
ALIASES = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
MERGES = "m0: &m0 {x: y}\n" + "".join(f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}]}}\n" for n in range(1, 10))

REFUSED: dict[str, tuple[str, str, str]] = {
    # what: (document, key that the message names, a part of message or hint)
    "no document": ("", "", "not an autoinstall document"),
    "another list": ("- a", "", "not an autoinstall document but a list"),
    "malformed YAML": ("version: 1\nidentity: {", "", "not valid YAML, line 2"),
    "an impossible date": ("version: 2026-13-45", "", "not valid YAML"),
    "a key given twice": (document() + "version: 1\n", "", "'version' is given twice"),
    "aliases of aliases": (ALIASES, "", "more than 100000 values, once aliases are followed"),
    "merges of merges": (MERGES, "", "more than 100000 values, once aliases are followed"),
    "an alias of itself": ("version: &a [*a]", "", "more than 100000 values"),
    "no version": ("identity: {hostname: gold, username: rig}", "version", "is missing"),
    "a version in quotes": (document(version="1"), "version", "the number 1"),
    "version true": (document(version=True), "version", "the number 1"),
    "a wrapper with company": ("autoinstall: {version: 1}\npackages: []", "autoinstall", "'packages'"),
    "a misspelt section": (document(late_commandz=[]), "", "did you mean 'late-commands'?"),
    "an underscore for a hyphen": (document() + "user_data: {}\n", "", "did you mean 'user-data'?"),
    "a section of the other installer": (document(packages=["vim"]), "packages", "the stack"),
    "a questionnaire": (document(interactive_sections=["*"]), "interactive-sections", "asks nothing"),
    "commands before all": (document(early_commands=["true"]), "early-commands", "late-commands"),
    "another kernel": (document(kernel={"package": "linux"}), "kernel", "the driver is built for it"),
    "a null locale": (document(locale=None), "locale", "not empty (null)"),
    "a locale of another charset": (document(locale="de_DE.ISO-8859-1"), "locale", "UTF-8 locale"),
    "a keyboard without layout": (document(keyboard={"variant": "intl"}), "keyboard.layout", "is missing"),
    "a keyboard that is shell": (document(keyboard={"layout": "us$(reboot)"}), "keyboard.layout", "not a keyboard"),
    "a keyboard to toggle": (document(keyboard={"layout": "us", "toggle": "x"}), "keyboard.toggle", "toggle"),
    "a time zone above": (document(timezone="../etc/passwd"), "timezone", "is not a time zone"),
    "a time zone to be guessed": (document(timezone="geoip"), "timezone", "is not a time zone"),
    "no identity": ("version: 1\nuser-data: null", "identity", "nobody could log in"),
    "a number as host name": (document(identity=identity(hostname=12)), "identity.hostname", "quotes"),
    "a bad host name": (document(identity=identity(hostname="gold_1")), "identity.hostname", "not a host name"),
    "host name localhost": (document(identity=identity(hostname="localhost")), "identity.hostname", "host name"),
    "no user name": (document(identity={"hostname": "gold"}), "identity.username", "is missing"),
    "a reserved user name": (document(identity=identity(username="sshd")), "identity.username", "reserved"),
    "user root": (document(identity=identity(username="root")), "identity.username", "reserved"),
    "a user name in capitals": (document(identity=identity(username="Rig")), "identity.username", "lower-case"),
    "a long user name": (document(identity=identity(username="r" * 33)), "identity.username", "at most 32"),
    "a user name of two lines": (document(identity=identity(username="rig\n")), "identity.username", "one line"),
    "a name that breaks passwd": (document(identity=identity(realname="a:b")), "identity.realname", "colon"),
    "a plain-text password": (document(identity=identity(password="hunter2")), "identity.password", "plain text"),
    "an empty password": (document(identity=identity(password="")), "identity.password", "is empty"),
    "a locked password": (document(identity=identity(password="!")), "identity.password", "nobody could log in"),
    "a damaged hash": (document(identity=identity(password=HASH[:-9])), "identity.password", "damaged"),
    "an MD5 hash": (document(identity=identity(password="$1$abc$" + "h" * 22)), "identity.password", "too weak"),
    "the hash of nothing": (document(identity=identity(password=HASH_OF_NOTHING)), "identity.password", "anybody"),
    "groups": (document(identity=identity(groups=["docker"])), "identity.groups", "late-commands"),
    "nobody": (document(ssh={}), "ssh.authorized-keys", "nobody could log in"),
    "nobody, with passwords allowed": (document(ssh={"allow-pw": True}), "ssh.authorized-keys", "nobody"),
    "passwords without a password": (
        document(ssh={"authorized-keys": [KEY], "allow-pw": True}),
        "ssh.allow-pw",
        "no identity.password",
    ),
    "no SSH server": (document(ssh={"install-server": False, "authorized-keys": [KEY]}), "ssh.install-server", "off"),
    "allow-pw as text": (document(ssh={"allow-pw": "yes please"}), "ssh.allow-pw", "true or false"),
    "a misspelt SSH key": (document(ssh={"authorized_keys": [KEY]}), "ssh", "did you mean 'authorized-keys'?"),
    "a key that is none": (document(ssh={"authorized-keys": ["me@desk"]}), "ssh.authorized-keys", "not an SSH"),
    "half a key": (document(ssh={"authorized-keys": [KEY[:60]]}), "ssh.authorized-keys", "not an SSH"),
    "an empty key": (document(ssh={"authorized-keys": [""]}), "ssh.authorized-keys", "not an SSH"),
    "a key commented out": (document(ssh={"authorized-keys": ["# " + KEY]}), "ssh.authorized-keys", "not an SSH"),
    "a private key": (
        document(ssh={"authorized-keys": ["-----BEGIN OPENSSH PRIVATE KEY-----"]}),
        "ssh.authorized-keys",
        "private key",
    ),
    "empty storage": (document(storage={}), "storage.layout", "is missing"),
    "a layout without name": (document(storage={"layout": {}}), "storage.layout.name", "is missing"),
    "an unknown layout": (document(storage=layout(name="lvn")), "storage.layout.name", "did you mean 'lvm'?"),
    "a layout by hand": (document(storage={"config": []}), "storage.config", "lays the disk out itself"),
    "a sizing policy": (document(storage=layout(**{"sizing-policy": "all"})), "storage.layout.sizing-policy", "whole"),
    "a needless passphrase": (
        document(storage=layout(password="12345678")),
        "storage.layout.password",
        "lvm",
    ),
    "a short passphrase": (document(storage=layout(name="lvm", password="1234567")), "storage.layout.password", "8"),
    "an unknown rule": (document(storage=layout(match={"seriel": "x"})), "storage.layout.match", "'serial'?"),
    "no rule": (document(storage=layout(match=[])), "storage.layout.match", "a list of mappings"),
    "an unknown size": (document(storage=layout(match={"size": "bigest"})), "storage.layout.match.size", "largest"),
    "ssd as text": (document(storage=layout(match={"ssd": "yes"})), "storage.layout.match.ssd", "true or false"),
    "a serial as number": (document(storage=layout(match={"serial": 123})), "storage.layout.match.serial", "quotes"),
    "a path outside /dev": (document(storage=layout(match={"path": "sda"})), "storage.layout.match.path", "/dev/"),
    "netplan version 1": (document(network={"version": 1}), "network.version", "the number 2"),
    "network twice": (document(network={"version": 2, "network": {"version": 2}}), "network", "only key"),
    "a network of settings": (
        document(network={"version": 2, "ethernets": {"match": {"dhcp4": True}}}),
        "network.ethernets.match",
        "one level is missing",
    ),
    "a misspelt network setting": (
        document(network={"version": 2, "ethernets": {"eno1": {"dchp4": True}}}),
        "network.ethernets.eno1",
        "did you mean 'dhcp4'?",
    ),
    "wireless": (document(network={"version": 2, "wifis": {}}), "network.wifis", "wireless"),
    "NetworkManager": (document(network={"version": 2, "renderer": "NetworkManager"}), "network.renderer", "networkd"),
    "the colon trap": (
        document(late_commands=[{"echo key": "value"}]),
        "late-commands[0]",
        "put quotes around it",
    ),
    "a command of nothing": (document(late_commands=[[]]), "late-commands[0]", "text"),
    "one command, no list": (document(late_commands="reboot"), "late-commands", "must be a list"),
    "an unknown shutdown": (document(shutdown="halt"), "shutdown", "reboot, poweroff"),
    "a misspelt cloud-config key": (document(user_data={"run_cmd": []}), "user-data", "did you mean 'runcmd'?"),
    "passwords by the back door": (document(user_data={"ssh_pwauth": True}), "user-data.ssh_pwauth", "ssh.allow-pw"),
    "chpasswd": (document(user_data={"chpasswd": {}}), "user-data.chpasswd", "identity.password"),
    "the default user's password": (document(user_data={"password": "x"}), "user-data.password", "identity.password"),
    "keys for nobody": (document(user_data={"ssh_authorized_keys": []}), "user-data.ssh_authorized_keys", "ssh."),
    "root by SSH": (document(user_data={"disable_root": False}), "user-data.disable_root", "root"),
    "a user with a plain-text password": (
        document(user_data={"users": [{"name": "eve", "plain_text_passwd": "x"}]}),
        "user-data.users[0].plain_text_passwd",
        "hashed_passwd",
    ),
    "a user with a bad hash": (
        document(user_data={"users": [{"name": "eve", "passwd": "x"}]}),
        "user-data.users[0].passwd",
        "plain text",
    ),
    "the image's default user": (document(user_data={"users": ["default"]}), "user-data.users[0]", "mapping"),
    "a user named twice": (document(user_data={"users": [{"name": "rig"}]}), "user-data.users", "twice"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what: str) -> None:
    text, key, part = REFUSED[what]
    error = refusal(text)
    assert error.key == key
    assert part in error.message + " " + error.hint
    assert error.message.startswith("here: ")
