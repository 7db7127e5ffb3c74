"""user-data is judged as cloud-init's schema of the release does, whichever cloud-init is at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from invoke.context import Context
from packaging.version import Version

from rigforge import paths
from rigforge.autoinstall.subiquity import cloud_config, cloud_config_schema, cloud_init
from rigforge.autoinstall.subiquity.cloud_init import Package
from rigforge.autoinstall.subiquity.document import table
from rigforge.tasks.validate import validate
from tests.autoinstall.documents import SOUND

RELEASES = ("22.04", "24.04", "26.04")
OLDEST = Version(table("cloud_config")["oldest"])


@pytest.fixture(autouse=True)
def _found_anew() -> None:
    cloud_init.find.cache_clear()


@pytest.fixture(scope="session")
def package() -> Package:
    """Returns the cloud-init that the locks in stacks/ name, downloaded where it has not been yet."""
    found = cloud_init.find(Version("25.3"), OLDEST)
    assert found
    return found


@pytest.fixture(scope="session")
def newest(package: Package) -> Package:
    """Returns what 26.04 has."""
    return Package(Version("26.1"), cloud_config_schema.of_release(package, "26.04"))


def wrong(package: Package, monkeypatch: pytest.MonkeyPatch, text: str, release: str = "24.04") -> dict[str, str]:
    """Returns message and hint by key of all that is wrong with user-data."""
    monkeypatch.setattr(cloud_init, "find", lambda *_, **__: package)
    found = list(cloud_config.errors(yaml.safe_load(text), release))
    assert all(each.level == "error" and each.hint for each in found)
    return {each.key.removeprefix("user-data."): f"{each.message}; {each.hint}" for each in found}


REFUSED = {
    "an unknown key": ("run_cmd: [ls]", {"run_cmd": "cloud-init knows no such key; did you mean runcmd?"}),
    "a number where YAML reads one": (
        "write_files: [{path: /x, permissions: 0644}]",
        {"write_files[0].permissions": "YAML reads it as the number 420; in quotes: '0644'"},
    ),
    "a mode without its zero": (
        "write_files: [{path: /x, permissions: 644}]",
        {"write_files[0].permissions": "YAML reads it as the number 644; in quotes: '0644'"},
    ),
    "keys that are none": (
        "users: [{name: a, ssh_authorized_keys: }]",
        {"users[0].ssh_authorized_keys": "it has no value; give it a list, or remove it"},
    ),
    "a key as one string": (
        "users: [{name: a, ssh_authorized_keys: ssh-ed25519 AAAA}]",
        {"users[0].ssh_authorized_keys": "it is 'ssh-ed25519 AAAA', and must be a list; "
         "make it a list: [ssh-ed25519 AAAA]"},
    ),
    "a user without a name": ("users: [{shell: /bin/sh}]", {"users[0].name": "it is missing; add name or snapuser"}),
    "a user by a number": (
        "users: [5]",
        {"users[0]": "it is the number 5, and must be a string, a list or a mapping; put it in quotes"},
    ),
    "a mistyped key in a user": (
        "users: [{name: a, ssh_authorised_keys: [x]}]",
        {"users[0].ssh_authorised_keys": "there is no such key here; did you mean ssh_authorized_keys?"},
    ),
    "a word that YAML reads as true": (
        "growpart: {mode: on}",
        {"growpart.mode": "it is true, as YAML reads yes, no, on and off; "
         "one of: auto, growpart, gpart, off, false; words in quotes"},
    ),
    "a word that there is not": (
        "power_state: {mode: reset}",
        {"power_state.mode": "'reset' is none of its values; one of: poweroff, reboot, halt"},
    ),
    "what is missing, once where it is mistyped": (
        "keyboard: {layouts: us}",
        {"keyboard.layouts": "there is no such key here; did you mean layout?"},
    ),
    "what is missing": ("power_state: {delay: now}", {"power_state.mode": "it is missing; add mode"}),
    "an empty list": ("mounts: [[]]", {"mounts[0]": "it is empty; give it a value, or remove it"}),
    "too many items": (
        "mounts: [[a, b, c, d, e, f, g]]",
        {"mounts[0]": "it has 7, and may have 6 at most; shorten it"},
    ),
    "a command that a colon makes a mapping of": (
        "runcmd: [echo a: b]",
        {"runcmd[0]": "it is a mapping, and must be a list or a string; "
         "a colon and a space make a mapping of it: put it in quotes"},
    ),
    "a date that is none": (
        "users: [{name: a, expiredate: soon}]",
        {"users[0].expiredate": "it is no date; such as '2030-12-31', in quotes"},
    ),
    "a date that YAML reads": (
        "users: [{name: a, expiredate: 2030-12-31}]",
        {"users[0].expiredate": "it is '2030-12-31', and must be a string; put it in quotes"},
    ),
    "a key that has no form of its kind": (
        "ssh_keys: {rsa: x}",
        {"ssh_keys.rsa": "there is no such key here; "
         "a key is of the form ^(ecdsa|ed25519|rsa)_(public|private|certificate)$"},
    ),
    "a key that is a number": (
        "ssh_keys: {1: x}",
        {"user-data": "a key in it is no string; put keys that are numbers or true in quotes"},
    ),
    "a user by two names": (
        "users: [{name: a, snapuser: b}]",
        {"users[0]": "it is two things at once; keep one of: name, snapuser"},
    ),
    "two faults": (
        "hostname: 5\nlocale: [de]",
        {
            "hostname": "it is the number 5, and must be a string; put it in quotes",
            "locale": "it is a list, and must be true or false or a string; make it true or false or a string",
        },
    ),
}  # fmt: skip


@pytest.mark.network
@pytest.mark.parametrize(("text", "expected"), REFUSED.values(), ids=REFUSED)
def test_what_the_installer_refuses_is_named_with_its_cure(
    package: Package, monkeypatch: pytest.MonkeyPatch, text: str, expected: dict[str, str]
) -> None:
    assert wrong(package, monkeypatch, text) == expected


@pytest.mark.network
@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(
    "text",
    [
        "users: [default, {name: a, lock-passwd: false, groups: [sudo], sudo: 'ALL=(ALL) NOPASSWD:ALL'}]",
        "runcmd: [ls, [ls, -l], null]\nbootcmd: [[echo, x]]",
        "write_files: [{path: /x, content: !!binary aGk=, encoding: b64, permissions: '0644'}]",
        "packages: [vim, [python3, 3.12-1], {snap: [yq], apt: [jq]}]\npackage_update: true",
        "ntp: null\nwireguard: null",
        "chpasswd: {expire: false, users: [{name: a, password: b, type: text}]}",
        "apt: {sources: {x.list: {source: deb http://x y main}}, conf: 'A \"b\";'}",
        "snap: {commands: {1: snap install yq}}",
        "ubuntu_advantage: {token: x}",
        "disk_setup: {/dev/sdb: {table_type: gpt, layout: [[100, 82]]}}",
        "landscape: {client: {account_name: a, computer_title: b}}",
        "version: whatever\nmigrate: whatever",
    ],
)
def test_what_every_release_accepts_is_accepted(
    package: Package, monkeypatch: pytest.MonkeyPatch, text: str, release: str
) -> None:
    assert wrong(package, monkeypatch, text, release) == {}


#: Accepted, by release, of what changed between 24.2 and 26.1; and what came before, which Debian 12's 22.4.2 lacks.
CHANGED = {
    "locale: false": (False, True, True),
    "write_files: [{path: /x, source: {uri: 'https://h/x'}}]": (False, True, True),
    "chef: {chef_license: maybe}": (True, False, False),
    "ansible: {pull: {url: u, playbook_name: p}}": (True, True, True),
    "ansible: {pull: [{url: u, playbook_names: [p]}]}": (False, True, True),
    "rpi: {enable_usb_gadget: 5}": (False, True, False),
    "rpi: {enable_rpi_connect: 5}": (False, False, True),
    "rh_subscription: {auto_attach: true}": (False, True, True),
    "rh_subscription: {auto_attach: true, auto-attach: true}": (False, False, False),
    "yum_repos: {a: {mirrorlist: 'http://h'}}": (False, True, True),
    "ntp: {servers: [my_server]}": (False, False, True),
    "groups: [5]": (True, True, False),
    "users: []": (True, True, True),
    "users: [{name: a, doas: [permit a], plain-text-passwd: b, sudo: [ALL]}]": (True, True, True),
    "users: [{name: a, uid: '1001', sudo: false, homedir: /x}]": (True, True, True),
    "migrate: 5": (True, True, True),
    "output: {all: '| tee -a /var/log/x'}\nmerge_how: [{name: list, settings: [append]}]": (True, True, True),
    "output: {everything: x}": (False, False, False),
    "ubuntu_pro: {token: x}\nsystem_info: {}\ncreate_hostname_file: true\nlaunch-index: 1": (True, True, True),
    "ssh_genkeytypes: [dsa]": (False, False, False),
    "ssh_keys: {dsa_public: x}": (False, False, False),
    "landscape: {client: {account_name: a}}": (False, False, False),
    "cloud_init_modules: [migrator]": (False, False, False),
    "cloud_init_modules: [ubuntu_pro]": (True, True, True),
}


@pytest.mark.network
@pytest.mark.parametrize(("text", "accepted"), CHANGED.items(), ids=CHANGED)
def test_what_changed_is_judged_as_the_release_does(
    package: Package, monkeypatch: pytest.MonkeyPatch, text: str, accepted: tuple[bool, ...]
) -> None:
    assert tuple(not wrong(package, monkeypatch, text, release) for release in RELEASES) == accepted


@pytest.mark.network
@pytest.mark.parametrize(("text", "accepted"), CHANGED.items(), ids=CHANGED)
def test_a_package_newer_than_the_release_is_brought_back(
    newest: Package, monkeypatch: pytest.MonkeyPatch, text: str, accepted: tuple[bool, ...]
) -> None:
    assert tuple(not wrong(newest, monkeypatch, text, release) for release in RELEASES) == accepted


@pytest.mark.network
def test_the_names_at_the_top_are_those_that_the_schema_speaks_of(package: Package) -> None:
    """But two, of which it says only that they may be there."""
    for release in RELEASES:
        schema = cloud_config_schema.of_release(package, release)
        parts = [
            schema["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part for part in schema["allOf"]
        ]
        spoken_of = {name for part in parts for name in part.get("properties", {})}
        assert spoken_of | {"version", "migrate"} == cloud_config_schema.names(release)


def test_without_a_package_only_the_names_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud_init, "find", lambda *_, **__: None)
    (finding,) = cloud_config.errors({"users": 5}, "24.04")
    assert (finding.level, finding.key) == ("unchecked", "user-data") and "not looked at" in finding.message
    unknown, unchecked = cloud_config.errors({"run_cmd": 5, "users": 5}, "24.04")
    assert (unknown.level, unknown.key, unchecked.level) == ("error", "user-data.run_cmd", "unchecked")
    assert not list(cloud_config.errors({}, "24.04"))


def test_the_task_does_not_say_accepted_of_what_was_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cloud_init, "find", lambda *_, **__: None)
    file = tmp_path / "autoinstall.yaml"
    file.write_text(SOUND + "user-data: {timezone: UTC}\n")
    validate(Context(), str(file))
    said = capsys.readouterr().out
    assert "user-data: its values were not looked at" in said and "\naccepted" not in said
    assert said.splitlines()[-1] == f"not known whether accepted by the installer of 24.04: {file}"
    validate(Context(), str(file), json=True)
    assert json.loads(capsys.readouterr().out)["accepted"] is None
    with pytest.raises(SystemExit):
        validate(Context(), str(file), strict=True)
    capsys.readouterr()
    file.write_text(SOUND)
    validate(Context(), str(file))
    assert capsys.readouterr().out == f"accepted by the installer of 24.04: {file}\n"


def installed(root: Path, place: str, version: str, schema: dict[str, Any]) -> None:
    """Lays a cloud-init out as its packages do."""
    folder = root / place / "cloudinit"
    (folder / "config/schemas").mkdir(parents=True)
    (folder / "config/schemas/schema-cloud-config-v1.json").write_text(json.dumps(schema))
    (folder / "version.py").write_text("import x\n\n")
    with (folder / ("version.py" if version < "26" else "meson_versions.py")).open("a") as file:
        file.write(f'{"__VERSION__" if version < "26" else "UPSTREAM_VERSION"} = "{version}"\n')


@pytest.mark.parametrize("place", ["usr/lib/python3/dist-packages", "usr/lib/python3.14/site-packages"])
@pytest.mark.parametrize("version", ["25.1.4", "26.1"])
def test_the_cloud_init_of_the_system_is_taken_where_no_lock_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, version: str
) -> None:
    monkeypatch.setattr(paths, "SHARE", tmp_path)
    installed(tmp_path, place, version, {"allOf": []})
    found = cloud_init.find(Version("25.3"), OLDEST, root=tmp_path)
    assert found and (found.version, found.schema) == (Version(version), {"allOf": []})


@pytest.mark.network
def test_the_one_of_a_lock_comes_before_the_one_of_the_system(tmp_path: Path, package: Package) -> None:
    installed(tmp_path, "usr/lib/python3/dist-packages", "25.3", {"allOf": []})
    found = cloud_init.find(Version("25.3"), OLDEST, offline=True, root=tmp_path)
    assert found and (found.version, found.schema) == (package.version, package.schema)


def test_one_that_is_too_old_or_damaged_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "SHARE", tmp_path)
    installed(tmp_path, "usr/lib/python3/dist-packages", "22.1", {"allOf": []})
    installed(tmp_path, "usr/lib/python3.13/site-packages", "25.3", {"allOf": []})
    (tmp_path / "usr/lib/python3.13/site-packages/cloudinit/config/schemas/schema-cloud-config-v1.json").write_text("{")
    assert cloud_init.find(Version("25.3"), OLDEST, root=tmp_path) is None


def test_offline_nothing_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGFORGE_HOME", str(tmp_path))
    assert cloud_init.find(Version("25.3"), OLDEST, offline=True, root=tmp_path) is None
    assert not list(tmp_path.iterdir())
