"""What people regret of a document that the installer accepts is told, the most harmful first."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.autoinstall.documents import SOUND, STORAGE, findings, warned


def test_nothing_is_said_of_a_sound_document(tmp_path: Path) -> None:
    assert findings(tmp_path, SOUND) == ()


@pytest.mark.parametrize(
    "more",
    [
        "source: {id: ubuntu-server, search_drivers: true}\n",
        "refresh-installer: {update: true}\n",
        "packages: [vim]\nsnaps: [{name: lxd}]\n",
        "drivers: {install: true}\ncodecs: {install: true}\n",
        "oem: {install: auto}\n",
        "kernel: {package: linux-generic}\n",
        "kernel: {flavor: hwe}\noem: {install: false}\n",
        "kernel: {flavor: hwe}\noem: {install: auto}\nsource: {id: ubuntu-server}\n",
        "kernel: {flavor: hwe}\noem: {install: false}\nsource: {id: ubuntu-desktop}\n",
        "apt: {geoip: false}\n",
        "apt: {fallback: offline-install}\n",
        "locale: en_US\n",
        "locale: de_DE.utf8\n",
        "locale: C.UTF-8\n",
        "proxy: ''\n",
    ],
)
def test_nothing_is_said_of_defaults_and_of_what_is_meant(tmp_path: Path, more: str) -> None:
    assert findings(tmp_path, SOUND + more) == ()


@pytest.mark.parametrize(
    ("more", "key", "said"),
    [
        ("apt: {fallback: abort}\n", "apt.fallback", "the installation ends; fallback: offline-install, which is"),
        ("apt: {fallback: continue-anyway}\n", "apt.fallback", "ends at the first package"),
        ("kernel: {package: linux-generic}\noem: {install: true}\n", "kernel", "certified hardware"),
        ("kernel: {flavor: hwe}\nsource: {id: ubuntu-desktop}\n", "kernel", "oem: {install: false}"),
        ("kernel: {flavor: hwe}\noem: {install: auto}\n", "kernel", "certified hardware"),
        ("oem: {install: true}\n", "oem.install", "the maker's kernel"),
        ("proxy: cache\n", "proxy", "http://HOST:PORT"),
        ("locale: de\n", "locale", "such as en_US.UTF-8"),
        ("locale: de_DE.ISO-8859-1\n", "locale", "no locale of UTF-8"),
        ("interactive-sections: [network]\n", "interactive-sections", "stops there and asks"),
        ("timezone: UTC\ntimezone: UTC\n", "timezone", "twice"),
    ],
)
def test_what_people_regret_is_a_warning_with_a_cure(tmp_path: Path, more: str, key: str, said: str) -> None:
    found = warned(tmp_path, SOUND + more)
    assert list(found) == [key] and said in found[key]


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("version: 1\n", "version: 1.0\n", "version"),
        ("gold", "my_host", "identity.hostname"),
        ("username: ada", "username: Ada", "identity.username"),
        (", match: {serial: 'S1'}", "", "storage.layout.match"),
        ("{serial: 'S1'}", "{}", "storage.layout.match"),
        ("serial: 'S1'", "size: big", "storage.layout.match.size"),
        ("name: direct", "name: btrfs", "storage.layout.name"),
        ("name: direct", "name: direct, password: x", "storage.layout.password"),
        ("name: direct", "name: lvm", "storage.layout.sizing-policy"),
        ("name: direct, match: {serial: 'S1'}", "name: lvm", "storage.layout.match"),
        ("layout:", "config: [], layout:", "storage.config"),
        (STORAGE, "", "storage"),
    ],
)
def test_a_sound_document_with_one_fault_has_one_warning(tmp_path: Path, old: str, new: str, key: str) -> None:
    assert old in SOUND
    assert list(warned(tmp_path, SOUND.replace(old, new))) == [key]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("match: {serial: 'S1'}", "mode: use_gap"),
        ("match: {serial: 'S1'}", "match: {size: largest}"),
        ("name: direct", "name: lvm, sizing-policy: all"),
    ],
)
def test_nothing_is_said_of_a_layout_that_says_what_it_does(tmp_path: Path, old: str, new: str) -> None:
    assert findings(tmp_path, SOUND.replace(old, new)) == ()


def test_the_worst_comes_first_and_errors_before_it(tmp_path: Path) -> None:
    text = (
        SOUND.replace("version: 1\n", "version: 1.0\n").replace(STORAGE, "") + "apt: {fallback: abort}\ncolour: red\n"
    )
    text = text.replace("ssh-ed25519 AAAAC3Nza ada@home", "").replace("authorized-keys: []", "authorized-keys: []")
    assert list(warned(tmp_path, text)) == ["ssh.authorized-keys", "storage", "apt.fallback", "colour", "version"]
    assert [each.level for each in findings(tmp_path, text + "updates: none\n")] == ["error", *["warning"] * 5]
