"""What the installer reads, what it refuses, and what it says then."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
import yaml
from documents import HASH, KEY, document, identity, layout, read, refusal

from rigforge.installer.document import KNOWN, DiskLayout, Keyboard
from rigforge.installer.document import REFUSED as OUTSIDE
from rigforge.rules.disk_match import DiskMatch


def test_a_short_document_gets_every_default() -> None:
    found = read(document())
    assert (found.identity.hostname, found.identity.username, found.identity.password) == ("gold", "rig", None)
    assert (found.locale, found.timezone, found.keyboard) == ("en_US.UTF-8", "Etc/UTC", Keyboard("us", ""))
    assert found.storage == DiskLayout(layout="lvm", match=(), password=None)
    assert found.network["ethernets"]["wired"] == {
        "match": {"name": "e*"},
        "dhcp4": True,
        "dhcp6": True,
        "optional": True,
    }
    assert (found.late_commands, found.user_data, found.shutdown) == ((), {}, "reboot")


def test_bare_and_wrapped_are_the_same() -> None:
    wrapped = yaml.safe_dump({"autoinstall": yaml.safe_load(document())})
    assert read("#cloud-config\n" + wrapped) == read(document())


def test_a_whole_document_is_read() -> None:
    found = read(
        document(
            locale="de_AT.UTF-8",
            timezone="Europe/Vienna",
            keyboard={"layout": "de", "variant": "nodeadkeys", "toggle": None},
            identity=identity(realname="Rig Förge", password=HASH),
            ssh={"install-server": True, "authorized-keys": [KEY], "allow-pw": True},
            storage={"layout": {"name": "lvm", "password": "correct horse", "match": {"ssd": True, "size": "largest"}}},
            network={"network": {"version": 2, "ethernets": {"eno1": {"dhcp4": True}}}},
            late_commands=["echo 'a: b'", ["curtin", "in-target", "--", "true"]],
            user_data={"runcmd": ["true"]},
            shutdown="poweroff",
        )
    )
    assert found.keyboard == Keyboard("de", "nodeadkeys")
    assert (found.identity.realname, found.identity.password) == ("Rig Förge", HASH)
    assert found.ssh.allow_pw
    assert found.storage == DiskLayout("lvm", (DiskMatch(size="largest", ssd=True),), "correct horse")
    assert found.network == {"version": 2, "ethernets": {"eno1": {"dhcp4": True}}}
    assert found.late_commands == ("echo 'a: b'", ("curtin", "in-target", "--", "true"))
    assert found.user_data == {"runcmd": ["true"]}
    assert found.shutdown == "poweroff"


def test_match_rules_keep_their_order() -> None:
    rules = [{"serial": "S3Z*"}, {"path": "/dev/nvme*", "model": "Samsung*"}, {"size": "smallest"}]
    assert read(document(storage=layout(match=rules))).storage.match == (
        DiskMatch(serial="S3Z*"),
        DiskMatch(path="/dev/nvme*", model="Samsung*"),
        DiskMatch(size="smallest"),
    )


@pytest.mark.parametrize("section", ["keyboard", "ssh", "storage", "user-data", "kernel", "source"])
def test_null_leaves_these_sections_out(section: str) -> None:
    text = document(identity=identity(password=HASH), **{section.replace("-", "_"): None})
    without = document(identity=identity(password=HASH))
    assert read(text) == read(without if section != "ssh" else document(identity=identity(password=HASH), ssh={}))


def test_ssh_takes_passwords_by_default_only_where_there_is_no_key() -> None:
    assert not read(document(identity=identity(password=HASH))).ssh.allow_pw
    assert read(document(identity=identity(password=HASH), ssh={})).ssh.allow_pw


@pytest.mark.parametrize("accepted", [HASH, "$y$j9T$" + "s" * 22 + "$" + "h" * 43, "$2b$12$" + "b" * 53])
def test_hashes_that_crypt_knows_are_accepted(accepted: str) -> None:
    assert read(document(identity=identity(password=accepted))).identity.password == accepted


@pytest.mark.parametrize("secret", ["hunter2", HASH[:-9], "$1$abc$hhhhhhhhhhhhhhhhhhhhhh"])
def test_no_message_holds_a_password(secret: str) -> None:
    error = refusal(document(identity=identity(password=secret)))
    assert secret not in error.message + error.hint


def test_a_document_does_not_show_its_secrets() -> None:
    text = document(identity=identity(password=HASH), storage=layout(name="lvm", password="correct horse"))
    assert HASH not in repr(read(text)) and "correct horse" not in repr(read(text))


def test_names_are_checked_against_the_data_of_the_system_that_has_it(tmp_path: Path) -> None:
    zones, keyboards, locales = (
        tmp_path / "usr/share" / place for place in ("zoneinfo", "X11/xkb/rules/base.lst", "i18n/SUPPORTED")
    )
    for zone in ("Etc/UTC", "Europe/Vienna"):
        (zones / zone).parent.mkdir(parents=True, exist_ok=True)
        (zones / zone).touch()
    keyboards.parent.mkdir(parents=True)
    keyboards.write_text("! layout\n  us  English\n  de  German\n\n! variant\n  nodeadkeys  de: German, no dead keys\n")
    locales.parent.mkdir(parents=True)
    locales.write_text("de_AT.UTF-8 UTF-8\nde_AT@euro ISO-8859-15\nsr_RS@latin UTF-8\n")

    for name in ("C.UTF-8", "de_AT.UTF-8", "sr_RS@latin"):
        assert read(document(locale=name), tmp_path).locale == name
    good = document(locale="de_AT.UTF-8", timezone="Europe/Vienna", keyboard={"layout": "de", "variant": "nodeadkeys"})
    assert read(good, tmp_path).timezone == "Europe/Vienna"

    base = {"locale": "de_AT.UTF-8"}
    assert "did you mean 'de_AT.UTF-8'?" in refusal(document(locale="de_AR.UTF-8"), tmp_path).hint
    assert refusal(document(locale="de_AT@euro"), tmp_path).key == "locale"
    assert "'Europe/Vienna'" in refusal(document(**base, timezone="Europe/Viena"), tmp_path).hint
    assert refusal(document(**base, timezone="Europe"), tmp_path).key == "timezone"
    assert refusal(document(**base, keyboard={"layout": "nosuch"}), tmp_path).key == "keyboard.layout"
    bad_variant = refusal(document(**base, keyboard={"layout": "de", "variant": "intl"}), tmp_path)
    assert (bad_variant.key, bad_variant.hint) == ("keyboard.variant", "de has: nodeadkeys")


def test_keys_of_every_common_type_and_with_options_are_accepted(tmp_path: Path) -> None:
    def line(kind: str, *fields: bytes) -> str:
        parts = (kind.encode(), *fields)
        return f"{kind} {base64.b64encode(b''.join(len(p).to_bytes(4, 'big') + p for p in parts)).decode()}"

    keys = [
        KEY,
        'from="10.0.0.0/8,fe80::/10",no-pty ' + KEY,
        line("ssh-rsa", b"\1\0\1", bytes(385)),
        line("ecdsa-sha2-nistp256", b"nistp256", bytes(65)),
        line("sk-ssh-ed25519@openssh.com", bytes(32), b"ssh:"),
    ]
    assert read(document(ssh={"authorized-keys": keys})).ssh.authorized_keys == tuple(keys)


def test_the_manual_describes_the_whole_subset() -> None:
    manual = (Path(__file__).parents[2] / "docs/autoinstall.md").read_text()
    missing = [name for name in (*KNOWN, *OUTSIDE) if f"`{name}`" not in manual and f"`{name}." not in manual]
    assert missing == []
