"""What is different between two locks: shown on the lock of debian-12, and copies of it with other contents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from rigforge.lock.model import Lock, in_order, read
from rigforge.paths import PROJECT
from rigforge.records.archive import LockedArchive
from rigforge.records.file import LockedFile
from rigforge.release_notes.diff import Difference, Move, PackageChange, compare, security_roles

DEBIAN_12 = read(PROJECT / "stacks/debian-12.lock")


def package(lock: Lock, layer: str, name: str) -> LockedFile:
    return next(file for file in lock.part(layer) if file.name == name)


def with_files(lock: Lock, added: Iterable[LockedFile] = (), removed: Iterable[LockedFile] = ()) -> Lock:
    return replace(lock, files=in_order({*lock.files, *added} - {*removed}))


def with_version(lock: Lock, layer: str, name: str, version: str, sha256: str = "0" * 64) -> Lock:
    """Returns the lock with another version of a package, in a file of its own."""
    old = package(lock, layer, name)
    return with_files(lock, [replace(old, version=version, sha256=sha256)], [old])


def changes(difference: Difference, layer: str) -> tuple[PackageChange, ...]:
    return next(each.packages for each in difference.layers if each.layer == layer)


def only_change(old: Lock, new: Lock, layer: str) -> PackageChange:
    (change,) = changes(compare(old, new), layer)
    return change


def test_a_lock_is_equal_to_itself() -> None:
    difference = compare(DEBIAN_12, DEBIAN_12)
    assert difference.equal
    assert not any(layer.packages for layer in difference.layers)
    assert difference.fetched_bytes == 0


@pytest.mark.parametrize(
    ("layer", "name", "old", "new", "kind"),
    [
        ("base", "openssl", "3.0.9-1", "3.0.10-1", "updated"),
        ("base", "openssl", "3.0.10-1", "3.0.9-1", "downgraded"),
        ("base", "openssl", "3.0.10-1", "3.0.10-1~bpo12+1", "downgraded"),
        ("base", "openssl", "9.0-1", "1:1.0-1", "updated"),
        ("python", "numpy", "2.9.0", "2.10.0", "updated"),
        ("python", "numpy", "2.10.0", "2.10.0rc1", "downgraded"),
    ],
)
def test_versions_are_compared_by_the_rules_of_their_format(
    layer: str, name: str, old: str, new: str, kind: str
) -> None:
    before = with_version(DEBIAN_12, layer, name, old)
    change = only_change(before, with_version(before, layer, name, new, sha256="1" * 64), layer)
    assert (change.package, change.old, change.new, change.kind) == (name, old, new, kind)


def test_another_file_of_the_same_version_is_a_replacement() -> None:
    old = package(DEBIAN_12, "python", "torch")
    change = only_change(DEBIAN_12, with_version(DEBIAN_12, "python", "torch", old.version), "python")
    assert (change.kind, change.old, change.new) == ("replaced", old.version, old.version)


def test_the_same_bytes_from_another_archive_are_no_change_of_the_package() -> None:
    openssl = package(DEBIAN_12, "base", "openssl")
    elsewhere = replace(openssl, file=f"debian:pool/main/o/openssl/{openssl.basename}")
    difference = compare(DEBIAN_12, with_files(DEBIAN_12, [elsewhere], [openssl]))
    assert not difference.equal
    assert changes(difference, "base") == ()


def test_a_package_in_one_lock_only_is_added_or_removed() -> None:
    tmux = package(DEBIAN_12, "host", "tmux")
    without = with_files(DEBIAN_12, removed=[tmux])
    added, removed = only_change(without, DEBIAN_12, "host"), only_change(DEBIAN_12, without, "host")
    assert (added.kind, added.old, added.new) == ("added", "", tmux.version)
    assert (removed.kind, removed.old, removed.new) == ("removed", tmux.version, "")


def test_a_package_that_went_to_another_layer_says_which() -> None:
    sudo = package(DEBIAN_12, "devel", "sudo")
    difference = compare(DEBIAN_12, with_files(DEBIAN_12, [replace(sudo, layer="base")], [sudo]))
    (arrived,), (left,) = changes(difference, "base"), changes(difference, "devel")
    assert (arrived.kind, arrived.other_layers) == ("added", ("devel",))
    assert (left.kind, left.other_layers) == ("removed", ("base",))


def test_a_package_that_stays_where_it_was_and_comes_to_another_layer_too_has_not_moved() -> None:
    cmake = replace(package(DEBIAN_12, "devel", "cmake"), layer="host")
    change = only_change(DEBIAN_12, with_files(DEBIAN_12, [cmake]), "host")
    assert (change.kind, change.other_layers) == ("added", ())


def test_an_update_from_a_security_archive_is_marked() -> None:
    before = with_version(DEBIAN_12, "base", "openssl", "3.0.1-1")
    assert package(DEBIAN_12, "base", "openssl").file.startswith("debian-security:")
    assert only_change(before, DEBIAN_12, "base").security


def test_an_update_from_another_archive_a_downgrade_and_an_addition_are_not_marked() -> None:
    tar = with_version(DEBIAN_12, "base", "tar", "1.0")
    openssl = with_version(DEBIAN_12, "base", "openssl", "9.0")
    absent = with_files(DEBIAN_12, removed=[package(DEBIAN_12, "base", "openssl")])
    for before in (tar, openssl, absent):
        assert not only_change(before, DEBIAN_12, "base").security


def test_an_archive_that_has_security_updates_among_others_marks_none_and_is_named() -> None:
    suites = ("noble", "noble-updates", "noble-security")
    lock = replace(DEBIAN_12, archives=tuple(LockedArchive("ubuntu", suite, "", "") for suite in suites))
    assert security_roles(DEBIAN_12) == {"debian-security"}
    assert security_roles(lock) == set()
    assert compare(lock, lock).mixed_roles == ("ubuntu",)


def test_sizes_are_of_all_files_and_a_file_of_two_layers_is_counted_once_in_all() -> None:
    in_base = LockedFile("base", "deb", "a", "1", "debian:a.deb", 10, "a" * 64)
    in_module = LockedFile("module", "deb", "b", "1", "debian:b.deb", 100, "b" * 64)
    in_host = replace(in_module, layer="host")
    old, new = (replace(DEBIAN_12, files=files) for files in ((in_base,), (in_base, in_module, in_host)))
    difference = compare(old, new)
    assert [(layer.layer, layer.old_bytes, layer.new_bytes) for layer in difference.layers] == [
        ("base", 10, 10),
        ("module", 0, 100),
        ("host", 0, 100),
    ]
    assert (difference.old_bytes, difference.new_bytes, difference.fetched_bytes) == (10, 110, 100)


@pytest.mark.parametrize(
    ("version", "pair"),
    [
        ("kernel", ("kernel", "kernel_package_version", "driver")),
        ("driver", ("kernel", "kernel_package_version", "driver")),
        ("cudnn", ("pytorch", "cuda", "cudnn")),
    ],
)
def test_versions_that_go_together_are_named_when_one_moves(version: str, pair: tuple[str, ...]) -> None:
    new = replace(DEBIAN_12, versions={**DEBIAN_12.versions, version: "9"})
    assert compare(DEBIAN_12, new).pairs == (pair,)


def test_a_kernel_without_a_driver_goes_with_nothing() -> None:
    smoke = read(PROJECT / "stacks/smoke.lock")
    new = replace(smoke, versions={**smoke.versions, "kernel": "6.1.0-57-amd64"})
    assert compare(smoke, new).pairs == ()


def test_locks_of_two_stacks_can_be_compared() -> None:
    difference = compare(read(PROJECT / "stacks/smoke.lock"), DEBIAN_12)
    assert difference.stack == Move("stack", "smoke", "debian-12")
    assert Move("pytorch", "", DEBIAN_12.versions["pytorch"]) in difference.versions
