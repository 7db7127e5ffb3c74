"""Keys that the installer passes over are told of, with the one that was meant or its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from rigforge.autoinstall.subiquity.accepted import Release
from tests.autoinstall.documents import SOUND, findings, warned


@pytest.mark.parametrize(
    ("more", "key", "cure"),
    [
        ("late_commands: [ls]\n", "late_commands", "did you mean late-commands?"),
        ("updates_: all\n", "updates_", "did you mean updates?"),
        ("write_files: []\n", "write_files", "write_files of cloud-init: put it below user-data"),
        ("users: []\nruncmd: [ls]\npackage_update: true\n", "users", "users, runcmd, package_update of cloud-init"),
        ("install-server: true\n", "install-server", "it belongs below ssh"),
        ("colour: red\n", "colour", "remove colour"),
        ("name: gold\n", "name", "remove name"),
        ("apt: {mirror_selection: {primary: []}}\n", "apt.mirror_selection", "did you mean mirror-selection?"),
        ("apt: {mirror-selection: {fallback: abort}}\n", "apt.mirror-selection.fallback", "it belongs below apt"),
        ("source: {search-drivers: false}\n", "source.search-drivers", "did you mean search_drivers?"),
        ("kernel: {flavor: hwe, version: 6.8}\n", "kernel.version", "known are: package, flavor"),
        ("oem: {install: false, kernel: a}\n", "oem.kernel", "known are: install"),
        ("network: {version: 2, ethernet: {}}\n", "network.ethernet", "netplan does not know it, and sets up nothing"),
        ("network: {network: {version: 2, ethernet: {}}}\n", "network.network.ethernet", "did you mean ethernets?"),
        ("user-data: {hostname: b}\n", "user-data.hostname", "remove one of them"),
    ],
)
def test_an_ignored_key_is_told_with_its_cure(tmp_path: Path, more: str, key: str, cure: str) -> None:
    found = warned(tmp_path, SOUND + more)
    assert list(found) == [key] and cure in found[key]


@pytest.mark.parametrize(
    ("old", "new", "key", "cure"),
    [
        ("authorized-keys", "authorized_keys", "ssh.authorized_keys", "did you mean authorized-keys?"),
        ("allow-pw: false", "allow-pw: false, disable_root: true", "ssh.disable_root", "put it below user-data"),
        ("name: direct", "name: direct, sizing_policy: all", "storage.layout.sizing_policy", "sizing-policy?"),
        ("layout:", "swapfile: {}, layout:", "storage.swapfile", "known are: layout, config, swap, grub"),
        ("serial: 'S1'", "serial: 'S1', colour: red", "storage.layout.match.colour", "known are: serial, model"),
        ("{serial: 'S1'}", "[{ssd: true}, {Serial: x}]", "storage.layout.match[1].Serial", "did you mean serial?"),
    ],
)
def test_an_ignored_key_within_a_section_is_told_with_its_cure(
    tmp_path: Path, old: str, new: str, key: str, cure: str
) -> None:
    assert old in SOUND
    found = warned(tmp_path, SOUND.replace(old, new))
    assert cure in found[key]


def test_ignored_keys_of_one_section_are_told_once(tmp_path: Path) -> None:
    text = SOUND.replace("allow-pw: false", "allow-pw: false, disable_root: true, ssh_quiet_keygen: true")
    (finding,) = findings(tmp_path, text)
    assert (finding.key, finding.line) == ("ssh.disable_root", 3)
    assert finding.message == "disable_root, ssh_quiet_keygen are ignored"


@pytest.mark.parametrize(("release", "keys"), [("24.04", ["kernel-crash-dumps"]), ("26.04", [])])
def test_a_section_that_came_later_is_told_with_its_release(tmp_path: Path, release: Release, keys: list[str]) -> None:
    found = warned(tmp_path, SOUND + "kernel-crash-dumps: {enabled: true}\n", release)
    assert list(found) == keys and all("known from 24.10 on" in each for each in found.values())
