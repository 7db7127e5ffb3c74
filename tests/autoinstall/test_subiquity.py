"""Which autoinstall documents Canonical's installer accepts, and what is said of those that people regret.

The verdicts of the first two tables are those of subiquity's own server, 24.04.4.1 and 26.04.1.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from rigforge.autoinstall.subiquity.accepted import RELEASES, Release, known
from rigforge.autoinstall.subiquity.check import check
from rigforge.autoinstall.subiquity.document import Finding
from rigforge.autoinstall.subiquity.install_sources import ids
from rigforge.errors import RigforgeError
from tests.command import rigforge

HASH = "$6$saltsalt$" + "x" * 86
USER = f"identity: {{hostname: gold, username: ada, password: '{HASH}'}}\n"
HEAD = "version: 1\n" + USER
SOUND = (
    HEAD
    + """\
ssh: {install-server: true, allow-pw: false, authorized-keys: [ssh-ed25519 AAAAC3Nza ada@home]}
source: {search_drivers: false}
apt: {fallback: offline-install}
storage: {layout: {name: direct, match: {serial: 'S1'}}}
"""
)
BOOTABLE = """\
storage:
  config:
  - {type: disk, id: d0, ptable: gpt, path: /dev/sda, wipe: superblock}
  - {type: partition, id: p0, device: d0, size: 1G, flag: boot, grub_device: true}
  - {type: partition, id: p1, device: d0, size: -1}
  - {type: format, id: f0, volume: p0, fstype: fat32}
  - {type: format, id: f1, volume: p1, fstype: ext4}
  - {type: mount, id: m1, device: f1, path: /}
  - {type: mount, id: m0, device: f0, path: /boot/efi}
"""


def findings(
    tmp_path: Path, text: str, release: Release = "24.04", sources: tuple[str, ...] | None = None
) -> list[Finding]:
    file = tmp_path / "autoinstall.yaml"
    file.write_text(text)
    return list(check(file, release, sources))


def refused(tmp_path: Path, text: str, release: Release = "24.04", sources: tuple[str, ...] | None = None) -> str:
    """Returns the keys that the installer refuses a document for."""
    return " ".join(each.key for each in findings(tmp_path, text, release, sources) if each.level == "error")


REFUSED = {
    "a version as a string": ("version", "version: '1'\n" + USER),
    "no version": ("version", USER),
    "another version": ("version", "version: 2\n" + USER),
    "kernel by package and flavour": ("kernel", HEAD + "kernel: {package: linux-generic, flavor: hwe}\n"),
    "a kernel of nothing": ("kernel", HEAD + "kernel: {}\n"),
    "a colon in a command": ("late-commands[0]", HEAD + "late-commands:\n- echo key: value\n"),
    "a command that is a number": ("early-commands[0]", HEAD + "early-commands: [5]\n"),
    "commands that are none": ("late-commands", HEAD + "late-commands:\n"),
    "updates that there are not": ("updates", HEAD + "updates: none\n"),
    "updates without a value": ("updates", HEAD + "updates:\n"),
    "network twice": ("network", HEAD + "network: {version: 2, network: {version: 2}}\n"),
    "network of another version": ("network", HEAD + "network: {version: 1}\n"),
    "network without a version": ("network", HEAD + "network: {ethernets: {}}\n"),
    "a card that is called match": ("network", HEAD + "network: {version: 2, ethernets: {match: {dhcp4: true}}}\n"),
    "something beside autoinstall": ("autoinstall", "autoinstall:\n  version: 1\n  user-data: {}\nruncmd: []\n"),
    "no locale": ("locale", HEAD + "locale: null\n"),
    "packages that are none": ("packages", HEAD + "packages:\n"),
    "snaps that are none": ("snaps", HEAD + "snaps:\n"),
    "a snap without a name": ("snaps[0]", HEAD + "snaps: [{channel: edge}]\n"),
    "a card that is nothing": ("network.ethernets.eth0", HEAD + "network: {version: 2, ethernets: {eth0: }}\n"),
    "a card matched by a word": (
        "network.network.wifis.any.match",
        HEAD + "network: {network: {version: 2, wifis: {any: {match: w0}}}}\n",
    ),
    "a report of a type that there is not": ("reporting.a.type", HEAD + "reporting: {a: {type: rsyslog}}\n"),
    "a report to nowhere": ("reporting.a", HEAD + "reporting: {a: {type: webhook}}\n"),
    "a printed report with a level": ("reporting.a.level", HEAD + "reporting: {a: {type: print, level: INFO}}\n"),
    "a signed report with half a key": (
        "reporting.a",
        HEAD + "reporting: {a: {type: webhook, endpoint: 'http://x', token_key: k}}\n",
    ),
    "a keyboard that there is not": ("keyboard.layout", HEAD + "keyboard: {layout: nosuch}\n"),
    "a variant that there is not": ("keyboard.variant", HEAD + "keyboard: {layout: de, variant: nosuch}\n"),
    "layouts and variants of two lengths": ("keyboard.variant", HEAD + "keyboard: {layout: 'us,de'}\n"),
    "a keyboard without a layout": ("keyboard", HEAD + "keyboard: {variant: nodeadkeys}\n"),
    "a time zone that there is not": ("timezone", HEAD + "timezone: Mars/Olympus\n"),
    "a sizing policy that there is not": (
        "storage.layout.sizing-policy",
        HEAD + "storage: {layout: {name: lvm, sizing-policy: half}}\n",
    ),
    "a recovery key without a password": (
        "storage.layout.recovery-key",
        HEAD + "storage: {layout: {name: lvm, recovery-key: true}}\n",
    ),
    "storage of nothing": ("storage", HEAD + "storage: {}\n"),
    "storage of swap alone": ("storage", HEAD + "storage: {swap: {size: 0}}\n"),
    "a layout without a name": ("storage.layout", HEAD + "storage: {layout: {match: {ssd: true}}}\n"),
    "a layout that is a word": ("storage.layout", HEAD + "storage: {layout: lvm}\n"),
    "a mode that there is not": ("storage.layout.mode", HEAD + "storage: {layout: {name: direct, mode: keep}}\n"),
    "dd of a source that is no disk image": (
        "storage.layout.name",
        HEAD + "storage: {layout: {name: dd, mode: use_gap}}\n",
    ),
    "hybrid on a classic server": ("storage.layout.name", HEAD + "storage: {layout: {name: hybrid}}\n"),
    "a match that is a word": ("storage.layout.match", HEAD + "storage: {layout: {name: direct, match: largest}}\n"),
    "no root": ("storage.config", HEAD + BOOTABLE.replace("path: /}", "path: /home}")),
    "no boot loader": ("storage.config", HEAD + BOOTABLE.replace(", flag: boot, grub_device: true", "")),
    "a device that comes later": (
        "storage.config[1].device",
        HEAD + BOOTABLE.replace("device: d0, size: 1G", "device: d9, size: 1G"),
    ),
    "a disk of another type": ("storage.config[1].device", HEAD + BOOTABLE.replace("type: disk", "type: drive")),
    "no identity": ("identity", "version: 1\n"),
    "identity without a value": ("identity", "version: 1\nidentity:\n"),
    "identity without a password": ("identity", "version: 1\nidentity: {hostname: gold, username: ada}\n"),
    "identity with a shell": ("identity", HEAD.replace("{hostname", "{shell: /bin/zsh, hostname")),
    "a host name that is a number": ("identity.hostname", HEAD.replace("gold", "7")),
    "user-data that cloud-init does not know": ("user-data.package", HEAD + "user-data: {package: [vim]}\n"),
    "user-data that is a list": ("user-data", HEAD + "user-data: [vim]\n"),
    "user-data with a command as a string": ("user-data.runcmd", HEAD + "user-data: {runcmd: echo hi}\n"),
    "user-data with packages as a string": ("user-data.packages", HEAD + "user-data: {packages: vim}\n"),
    "user-data with a word for yes or no": ("user-data.package_update", HEAD + "user-data: {package_update: maybe}\n"),
    "a file without a path": ("user-data.write_files[0]", HEAD + "user-data: {write_files: [{content: x}]}\n"),
    "a host name that is a number, in user-data": ("user-data.hostname", HEAD + "user-data: {hostname: 5}\n"),
    "a network of nothing": ("network", HEAD + "network: {}\n"),
    "a card matched by its colour": (
        "network.ethernets.match",
        HEAD + "network: {version: 2, ethernets: {match: {name: x, colour: y}}}\n",
    ),
    "a version that is true": ("version", "version: true\n" + USER),
    "error commands that are none": ("error-commands", HEAD + "error-commands:\n"),
    "commands that are a number": ("late-commands", HEAD + "late-commands: 5\n"),
    "a report of no type": ("reporting.hook", HEAD + "reporting: {hook: {endpoint: x}}\n"),
    "a keyboard by its model": ("keyboard", HEAD + "keyboard: {layout: us, model: pc105}\n"),
    "a proxy that is a number": ("proxy", HEAD + "proxy: 8080\n"),
    "a mirror that is a number": (
        "apt.mirror-selection.primary[0]",
        HEAD + "apt: {mirror-selection: {primary: [5]}}\n",
    ),
    "a pin without a priority": ("apt.preferences[0]", HEAD + "apt: {preferences: [{package: a, pin: b}]}\n"),
    "a snap by its revision": ("snaps[0]", HEAD + "snaps: [{name: a, revision: 5}]\n"),
    "a kernel that is a word": ("kernel", HEAD + "kernel: linux-generic\n"),
    "a locale that is a number": ("locale", HEAD + "locale: 5\n"),
    "a layout of null": ("storage.layout", HEAD + "storage: {layout: null}\n"),
    "a config of null": ("storage.config", HEAD + "storage: {config: null}\n"),
    "a partition of no disk": ("storage.config[2]", HEAD + BOOTABLE.replace("id: p1, device: d0", "id: p1")),
    "a format of no file system": ("storage.config[4]", HEAD + BOOTABLE.replace(", fstype: ext4", "")),
    "an action without an id": ("storage.config[0]", HEAD + BOOTABLE.replace("id: d0, ptable", "ptable")),
    "a size that is none": ("storage.config[1].size", HEAD + BOOTABLE.replace("size: 1G", "size: lots")),
    "the rest of a disk, and more after it": (
        "storage.config[1].size",
        HEAD + BOOTABLE.replace("size: 1G", "size: -1"),
    ),
    "a disk that is used twice": ("storage.config", HEAD + BOOTABLE + "  - {type: disk, id: d1, path: /dev/sda}\n"),
    "a pool of partitions that there are not": (
        "storage.config[7].vdevs",
        HEAD + BOOTABLE + "  - {type: zpool, id: z0, vdevs: [p9], pool: rpool, mountpoint: /}\n",
    ),
    "primary and mirror-selection": (
        "apt",
        HEAD + "apt: {primary: [], mirror-selection: {primary: [country-mirror]}}\n",
    ),
    "a fallback that there is not": ("apt.fallback", HEAD + "apt: {fallback: offline}\n"),
    "a component that there is not": ("apt.disable_components[0]", HEAD + "apt: {disable_components: [main]}\n"),
    "oem without a value": ("oem", HEAD + "oem:\n"),
    "oem without a choice": ("oem", HEAD + "oem: {}\n"),
    "drivers as a word": ("drivers.install", HEAD + "drivers: {install: 'no'}\n"),
    "a shutdown that there is not": ("shutdown", HEAD + "shutdown: halt\n"),
    "keys as one string": ("ssh.authorized-keys", HEAD + "ssh: {authorized-keys: ssh-ed25519 AAAA}\n"),
    "a token of Pro that is none": ("ubuntu-pro.token", HEAD + "ubuntu-pro: {token: C0}\n"),
    "interactive sections without a value": ("interactive-sections", HEAD + "interactive-sections:\n"),
    "a refresh that is a word": ("refresh-installer.update", HEAD + "refresh-installer: {update: 'yes'}\n"),
}

ACCEPTED = {
    "the least": HEAD,
    "a sound one": SOUND,
    "an unknown key": HEAD + "late_commands: [echo hi]\n",
    "version 1.0": "version: 1.0\n" + USER,
    "a password in plain text": HEAD.replace(HASH, "hunter2"),
    "a toggle of null": HEAD + "keyboard: {layout: us, toggle: null}\n",
    "two layouts": HEAD + "keyboard: {layout: 'us,de', variant: ',nodeadkeys'}\n",
    "a proxy that is none": HEAD + "proxy: not a uri\n",
    "a source of null": HEAD + "source: null\n",
    "storage of null": HEAD + "storage: null\n",
    "network of null": HEAD + "network: null\n",
    "ssh of null": HEAD + "ssh: null\n",
    "kernel of null": HEAD + "kernel: null\n",
    "below autoinstall": "autoinstall:\n  version: 1\n  user-data: {users: [default]}\n",
    "an interactive section that there is not": HEAD + "interactive-sections: [bogus]\n",
    "identity asked for": "version: 1\ninteractive-sections: [identity]\n",
    "all asked for": "version: 1\ninteractive-sections: ['*']\n",
    "a layout that is asked for": HEAD + "interactive-sections: [storage]\nstorage: {layout: {mode: bogus}}\n",
    "user-data of null in place of identity": "version: 1\nuser-data: null\n",
    "a list of matches": HEAD + "storage: {layout: {name: direct, match: [{serial: N}, {size: smallest}]}}\n",
    "layout and config": HEAD + "storage: {layout: {name: direct}, config: []}\n",
    "a match that there is not": HEAD + "storage: {layout: {name: direct, match: {colour: red}}}\n",
    "a layout that there is not": HEAD + "storage: {layout: {name: btrfs}}\n",
    "a layout of one's own": HEAD + BOOTABLE,
    "partitions larger than disks": HEAD + BOOTABLE.replace("-1", "900G"),
    "an action that there is not, and nobody needs": HEAD + BOOTABLE + "  - {type: bogus, id: b}\n",
    "a partition by its share": HEAD + BOOTABLE.replace("size: -1", "size: 50%"),
    "a root in a pool": HEAD
    + BOOTABLE.partition("  - {type: format")[0]
    + "  - {type: format, id: f0, volume: p0, fstype: fat32}\n  - {type: mount, id: m0, device: f0, path: /boot/efi}\n"
    + "  - {type: zpool, id: z0, vdevs: [p1], pool: rpool, mountpoint: /, fs_properties: {canmount: 'on'}}\n",
    "a sizing policy where it is not looked at": HEAD + "storage: {layout: {name: direct, sizing-policy: half}}\n",
    "ZFS with a password": HEAD + "storage: {layout: {name: zfs, password: x}}\n",
    "the gap of a disk": HEAD + "storage: {layout: {name: direct, mode: use_gap}}\n",
    "users and commands of many forms": HEAD
    + "user-data: {users: [default, {name: bob}], runcmd: [[ls, -l], ls], ntp: null}\n",
    "empty user-data in place of identity": "version: 1\nuser-data: {}\n",
    "a keyboard of null": HEAD + "keyboard: null\n",
    "a time zone of nothing": HEAD + "timezone: ''\n",
    "a kernel by its flavour": HEAD + "kernel: {flavor: hwe}\n",
    "a card by its name": HEAD + "network: {version: 2, ethernets: {any: {match: {name: 'en*'}, dhcp4: true}}}\n",
    "network below network": HEAD + "network: {network: {version: 2}}\n",
    "a locale that there is not": HEAD + "locale: tlh_KL\n",
    "a time zone by the address": HEAD + "timezone: geoip\n",
    "commands as lists and strings": HEAD + "late-commands: [[ls, /target], curtin in-target -- ls]\n",
    "oem by itself": HEAD + "oem: {install: auto}\n",
    "reports": HEAD + "reporting: {a: {type: print}, b: {type: webhook, endpoint: 'http://x', level: INFO}}\n",
    "a report of no type that there is, of an installer that asks": HEAD
    + "interactive-sections: [ssh]\nreporting: {a: {type: rsyslog}}\n",
    "a layout of keys that an older xkb-data had": HEAD + "keyboard: {layout: de, variant: sundeadkeys}\n",
    "an empty mirror selection": HEAD + "apt: {mirror-selection: {primary: []}}\n",
}


@pytest.mark.parametrize(("key", "text"), REFUSED.values(), ids=REFUSED)
def test_the_installer_of_every_release_refuses(tmp_path: Path, key: str, text: str) -> None:
    told = {release: findings(tmp_path, text, release) for release in RELEASES}
    errors = {release: " ".join(each.key for each in told[release] if each.level == "error") for release in told}
    assert {release: keys for release, keys in errors.items() if key not in keys} == {}
    assert [(release, each) for release, found in told.items() for each in found if not each.hint] == []


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED)
def test_the_installer_of_every_release_accepts(tmp_path: Path, text: str) -> None:
    assert {release: refused(tmp_path, text, release) for release in RELEASES} == dict.fromkeys(RELEASES, "")


def test_names_of_the_system_are_refused_by_the_newer_installer_and_doubtful_in_the_older(tmp_path: Path) -> None:
    for name in ("sshd", "Ada", "a" * 33):
        text = HEAD.replace("username: ada", f"username: {name}")
        assert refused(tmp_path, text, "26.04") == "identity.username"
        assert refused(tmp_path, text, "24.04") == ""
        assert "identity.username" in [each.key for each in findings(tmp_path, text)]


def test_groups_came_after_24_04(tmp_path: Path) -> None:
    text = HEAD.replace("password:", "groups: [docker], password:", 1)
    assert "identity.groups" in refused(tmp_path, text, "24.04")
    assert refused(tmp_path, text, "26.04") == ""
    for groups in ("{}", "{append: [a], override: [b]}"):
        assert refused(tmp_path, text.replace("[docker]", groups), "26.04") == "identity.groups"


def test_zdevs_came_after_24_04(tmp_path: Path) -> None:
    text = HEAD + "zdevs: [{id: 0.0.1500}]\n"
    assert refused(tmp_path, text, "24.04") == ""
    assert refused(tmp_path, text, "26.04") == "zdevs[0]"


def test_crash_dumps_came_after_24_04(tmp_path: Path) -> None:
    text = SOUND + "kernel-crash-dumps: {enabled: maybe}\n"
    assert refused(tmp_path, text, "26.04") == "kernel-crash-dumps.enabled"
    (finding,) = findings(tmp_path, text, "24.04")
    assert (finding.level, finding.hint) == ("warning", "known from 24.10 on")


@pytest.mark.parametrize("text", ["- {id: ubuntu-server}\n", "version: 1\nsources:\n- {id: ubuntu-server}\n"])
def test_a_source_is_looked_up_in_either_form_of_the_list(tmp_path: Path, text: str) -> None:
    medium = tmp_path / "install-sources.yaml"
    medium.write_text(text)
    assert ids(medium) == ("ubuntu-server",)
    wanted = SOUND.replace("search_drivers: false", "search_drivers: false, id: rigforge")
    assert refused(tmp_path, wanted, sources=ids(medium)) == "source.id"
    assert refused(tmp_path, wanted, sources=("rigforge",)) == ""
    assert refused(tmp_path, wanted) == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"- a\n", "no mapping"),
        (b"autoinstall: 5\n", "autoinstall: no mapping"),
        (b"version: [1\n", ":2:1"),
        (b"a: \xff\n", "byte 4 is not UTF-8"),
        (b"version: 1\n" + b"#" * 1_000_001, "bytes"),
        (b"a: !!python/object:os.system x\n", "could not determine a constructor"),
        (b"\x00", "special characters are not allowed"),
    ],
)
def test_what_is_no_document_gets_one_clear_error(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(content)
    with pytest.raises(RigforgeError) as caught:
        check(file, "24.04")
    assert message in caught.value.message


def test_a_value_of_any_kind_anywhere_is_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # libyaml makes the same of some 900 documents in a tenth of the time.
    monkeypatch.setattr(yaml, "SafeLoader", yaml.CSafeLoader)
    monkeypatch.setattr(yaml, "SafeDumper", yaml.CSafeDumper)
    odd: list[object] = [None, 5, True, [], {}, [[]], [None], {"a": [{}]}, [{"name": {}}], {1: 2}]
    whole = yaml.safe_load(SOUND + BOOTABLE.replace("storage:", "unknown:"))
    for section in (*known("26.04"), *whole):
        for value in odd:
            findings(tmp_path, yaml.safe_dump({**whole, section: value}), "26.04")
    for key in ("users", "write_files", "runcmd"):
        for value in odd:
            findings(tmp_path, yaml.safe_dump({**whole, "user-data": {key: value}}))
    actions = yaml.safe_load(BOOTABLE)["storage"]["config"]
    for number, action in enumerate(actions):
        for key in (*action, "vdevs", "devices"):
            for value in odd:
                changed = [*actions[:number], {**action, key: value}, *actions[number + 1 :]]
                findings(tmp_path, yaml.safe_dump({**whole, "storage": {"config": changed}}))


def test_a_few_lines_that_stand_for_billions_end_soon(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(RigforgeError, match="more than 100000 values"):
        findings(tmp_path, "\n".join(lines))


def test_the_task_says_whether_the_installer_accepts_it(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(SOUND + "late_commands: [echo]\n")
    done = rigforge("validate", file)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, f"accepted by the installer of 24.04: {file}")
    assert rigforge("validate", file, "--strict").returncode == 1
    file.write_text(SOUND + "updates: none\n")
    done = rigforge("validate", file, "--release", "26.04", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["accepted"]) == (1, False)
    assert found["findings"][0].keys() >= {"level", "key", "message", "hint"}
    assert rigforge("validate", file, "--release", "20.04").returncode == 2
    file.write_text("version: [1\n")
    done = rigforge("validate", file, "--json")
    (finding,) = json.loads(done.stdout)["findings"]
    assert (done.returncode, finding["level"]) == (1, "error") and ":2:1" in finding["message"]
    done = rigforge("validate", tmp_path / "none.yaml")
    assert done.returncode == 1 and "cannot be read" in done.stderr and "Traceback" not in done.stderr
