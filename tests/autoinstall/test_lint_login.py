"""Who can log in to the installed system is told of documents that the installer accepts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.autoinstall.documents import HASH, SSH, STORAGE, USER, warned

KEY = "ssh-ed25519 AAAAC3Nza ada@home"
HEAD = f"version: 1\n{STORAGE}"


def user(fields: str) -> str:
    """Returns a document whose only user is one of user-data, beside an SSH server."""
    return f"{HEAD}ssh: {{install-server: true}}\nuser-data: {{users: [{{name: ada, {fields}}}]}}\n"


QUIET = {
    "a key in ssh": HEAD + USER + SSH,
    "a password at the console, and no word on SSH": HEAD + USER,
    "no SSH server, as asked": HEAD + USER + "ssh: {install-server: false, allow-pw: true}\n",
    "passwords for SSH, as asked": HEAD + USER + "ssh: {install-server: true, allow-pw: true}\n",
    "a server by a package": HEAD + USER + f"packages: [openssh-server]\nuser-data: {{ssh_authorized_keys: [{KEY}]}}\n",
    "a server by a package of user-data": HEAD
    + f"user-data: {{packages: [ssh], users: [{{name: ada, ssh_authorized_keys: [{KEY}]}}]}}\n",
    "a server by a command": HEAD
    + USER
    + f"user-data: {{runcmd: [apt-get install -y openssh-server], ssh_authorized_keys: [{KEY}]}}\n",
    "a source that may have a server": HEAD
    + f"source: {{id: rigforge}}\nuser-data: {{users: [{{name: ada, ssh_authorized_keys: [{KEY}]}}]}}\n",
    "a key at the top of user-data": HEAD
    + f"ssh: {{install-server: true}}\nuser-data: {{ssh_authorized_keys: [{KEY}]}}\n",
    "a key of a user": user(f"ssh_authorized_keys: [{KEY}]"),
    "a key from afar": user("ssh_import_id: ['gh:ada']"),
    "a key with options": user('ssh_authorized_keys: [\'from="10.0.0.0/8" ' + KEY + "']"),
    "an unlocked password": user(f"lock_passwd: false, passwd: '{HASH}'").replace("true", "true, allow-pw: true"),
    "an unlocked password in plain text": user("lock_passwd: false, plain_text_passwd: x").replace(
        "true", "true, allow-pw: true"
    ),
    "a password by chpasswd": HEAD
    + "user-data: {users: [{name: ada}], chpasswd: {users: [{name: ada, password: x, type: text}]}}\n",
    "a password of the first user": HEAD + "user-data: {password: x}\n",
    "a way in by a command": HEAD + "user-data: {runcmd: [useradd -p x ada]}\n",
    "a user of Snap": HEAD + "user-data: {users: [{snapuser: ada@home}]}\n",
    "who is asked": HEAD + "interactive-sections: [identity]\nidentity:\n",
    "a locked password beside a key": HEAD + USER.replace(HASH, "!") + SSH,
}


@pytest.mark.parametrize("text", QUIET.values(), ids=QUIET)
def test_nothing_is_said_where_somebody_can_log_in(tmp_path: Path, text: str) -> None:
    assert not warned(tmp_path, text).keys() - {"interactive-sections"}


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        (user(f"passwd: '{HASH}'"), "user-data.users[0].passwd", "the password is locked"),
        (user(f"hashed_passwd: '{HASH}'"), "user-data.users[0].hashed_passwd", "lock_passwd: false"),
        (user("plain_text_passwd: x"), "user-data.users[0].plain_text_passwd", "the password is locked"),
        (user(f"lock-passwd: true, passwd: '{HASH}'"), "user-data.users[0].passwd", "the password is locked"),
        (user("lock_passwd: false, passwd: x"), "user-data.users[0].passwd", "it is no hash"),
        (user(f"lock_passwd: false, plain_text_passwd: '{HASH}'"), "user-data.users[0].plain_text_passwd", "it is a"),
        (user("lock_passwd: false"), "user-data.users[0]", "nobody can log in"),
        (user("shell: /bin/sh"), "user-data.users[0]", "nobody can log in"),
        (HEAD + "user-data:\n", "user-data", "nobody can log in"),
        (HEAD + "user-data: {timezone: UTC}\n", "user-data.users", "nobody can log in"),
        (HEAD + "user-data: {users: []}\n", "user-data", "nobody can log in"),
        (HEAD + "user-data: {users: [default]}\n", "user-data.users", "nobody can log in"),
        (HEAD + USER.replace(HASH, "!"), "identity", "nobody can log in"),
        (HEAD + f"user-data: {{ssh_authorized_keys: [{KEY}]}}\n", "ssh.install-server", "there are keys alone"),
        (HEAD + USER.replace(HASH, "hunter2"), "identity.password", "it is no hash"),
        (HEAD + USER.replace(HASH, "$6$salt$CHANGEME"), "identity.password", "a placeholder"),
        (HEAD + USER.replace(HASH, "$6$..."), "identity.password", "a placeholder"),
        (HEAD + USER.replace(HASH, "${password}"), "identity.password", "a placeholder"),
        (HEAD + USER.replace(HASH, HASH[:-1]), "identity.password", "not as long as"),
        (HEAD + USER.replace(HASH, HASH + "x"), "identity.password", "not as long as"),
        (HEAD + USER.replace(HASH, "$8$salt$x"), "identity.password", "no method"),
        (HEAD + USER.replace(HASH, "$1$saltsalt$" + "x" * 22), "identity.password", "MD5 is broken quickly"),
        (HEAD + USER + SSH.replace("true", "false"), "ssh.install-server", "no SSH server will run"),
        (HEAD + USER + "ssh: {allow-pw: true}\n", "ssh.install-server", "no SSH server will run"),
        (HEAD + USER + f"user-data: {{ssh_authorized_keys: [{KEY}]}}\n", "ssh.install-server", "no SSH server"),
        (HEAD + USER + "ssh: {install-server: true}\n", "ssh.authorized-keys", "passwords alone"),
        (HEAD + USER + "ssh: {install-server: true, allow-pw: false}\n", "ssh.authorized-keys", "nobody gets in"),
        (HEAD + USER + SSH.replace(KEY, "my key"), "ssh.authorized-keys[0]", "no public key"),
        (user("ssh_authorized_keys: [ssh-rsa AA... me]"), "user-data.users[0].ssh_authorized_keys[0]", "no public key"),
    ],
)  # fmt: skip
def test_one_thing_is_said_where_somebody_is_kept_out(tmp_path: Path, text: str, key: str, said: str) -> None:
    found = warned(tmp_path, text)
    assert list(found) == [key] and said in found[key]


@pytest.mark.parametrize(
    "hashed",
    [
        "$5$saltsalt$" + "x" * 43,
        "$6$rounds=4096$saltsalt$" + "x" * 86,
        "$y$j9T$saltsaltsaltsaltsalt./$" + "x" * 43,
        "$2b$12$" + "x" * 53,
    ],
)
def test_hashes_of_the_methods_that_a_login_knows_are_sound(tmp_path: Path, hashed: str) -> None:
    assert not warned(tmp_path, HEAD + USER.replace(HASH, hashed))
