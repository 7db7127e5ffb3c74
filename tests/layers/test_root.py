"""A finished layer depends on nothing but its content (runs in a namespace, as building does)."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest

from rigforge import namespace
from rigforge.errors import RigforgeError
from rigforge.layers.root import Root, clean, overlay, settle
from rigforge.layers.squashfs import content_bytes

EPOCH = 1_700_000_000

#: Group 0 may read: linux/posix_acl_xattr.h, version 2, then (tag, permissions, id) of each entry.
ENTRIES = [(0x01, 6, -1), (0x04, 4, -1), (0x08, 4, 0), (0x10, 4, -1), (0x20, 4, -1)]
ACL = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in ENTRIES)


def change_a_lower_layer(request: dict[str, Any]) -> None:
    """Inside: replaces a directory and removes a file of the lower layer, and settles the upper one."""
    place = Path(request["place"])
    lower, upper, mounted = place / "lower", place / "upper", place / "mounted"
    (lower / "replaced").mkdir(parents=True)
    (lower / "replaced/old").write_text("old")
    (lower / "removed").write_text("removed")
    for directory in (upper, mounted, place / "work"):
        directory.mkdir()
    with overlay(mounted, lowers=[lower], upper=upper, work=place / "work"):
        (mounted / "removed").unlink()
        (mounted / "replaced/old").unlink()
        (mounted / "replaced").rmdir()
        (mounted / "replaced").mkdir()
        (mounted / "replaced/new").write_text("new")
        os.setxattr(mounted / "replaced/new", "system.posix_acl_access", ACL)
    settle(upper, [lower], EPOCH)
    files = {}
    for path in sorted(upper.rglob("*")):
        status = path.lstat()
        kind = "whiteout" if path.is_char_device() and status.st_rdev == 0 else "other"
        files[str(path.relative_to(upper))] = [kind, status.st_mtime, os.listxattr(path, follow_symlinks=False)]
    (place / "result.json").write_text(json.dumps(files))


@pytest.fixture
def settled(tmp_path: Path) -> dict[str, Any]:
    namespace.call(f"{__name__}:change_a_lower_layer", {"place": str(tmp_path)}, log=tmp_path / "log")
    result: dict[str, Any] = json.loads((tmp_path / "result.json").read_text())
    namespace.remove_tree(tmp_path / "work")
    return result


def test_what_went_from_a_lower_layer_is_whited_out_by_name(settled: dict[str, Any]) -> None:
    kinds = {path: kind for path, (kind, _, _) in settled.items()}
    assert kinds == {"removed": "whiteout", "replaced": "other", "replaced/new": "other", "replaced/old": "whiteout"}


def test_neither_overlayfs_nor_access_control_lists_leave_attributes(settled: dict[str, Any]) -> None:
    assert [attributes for _, _, attributes in settled.values()] == [[]] * 4


def test_nothing_is_younger_than_the_lock(settled: dict[str, Any]) -> None:
    assert {time for _, time, _ in settled.values()} == {EPOCH}


def test_cleaning_leaves_no_identity_of_the_builder(tmp_path: Path) -> None:
    for name in ("etc/machine-id", "etc/ssh/ssh_host_rsa_key", "var/log/dpkg.log", "tmp/x", "usr/bin/tool"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    clean(tmp_path)
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["etc/machine-id", "usr/bin/tool"]
    assert (tmp_path / "etc/machine-id").read_text() == ""


def test_content_counts_whole_blocks_and_hard_links_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 5000)
    (tmp_path / "link").hardlink_to(tmp_path / "file")
    assert content_bytes(tmp_path) == 8192


def test_content_does_not_depend_on_what_was_once_in_a_directory(tmp_path: Path) -> None:
    was_full = tmp_path / "was-full"
    was_full.mkdir()
    for number in range(500):
        (was_full / f"a file with a long name, number {number}").touch()
    for file in list(was_full.iterdir()):
        file.unlink()
    assert content_bytes(tmp_path) == 4096


def fail(request: dict[str, Any]) -> None:
    raise RigforgeError(request["message"], "the cure")


def break_down(request: dict[str, Any]) -> None:
    print("the reason")
    raise ZeroDivisionError


def test_an_error_inside_is_the_callers(tmp_path: Path) -> None:
    with pytest.raises(RigforgeError) as caught:
        namespace.call(f"{__name__}:fail", {"message": "what is wrong"}, log=tmp_path / "log")
    assert (caught.value.message, caught.value.hint) == ("what is wrong", "the cure")


def test_another_failure_inside_quotes_the_log(tmp_path: Path) -> None:
    with pytest.raises(RigforgeError, match="ZeroDivisionError") as caught:
        namespace.call(f"{__name__}:break_down", {}, log=tmp_path / "log")
    assert str(tmp_path / "log") in caught.value.hint


def see_network(request: dict[str, Any]) -> None:
    Path(request["result"]).write_text(Path("/proc/net/dev").read_text())


def test_inside_there_is_no_network(tmp_path: Path) -> None:
    namespace.call(f"{__name__}:see_network", {"result": str(tmp_path / "result")}, log=tmp_path / "log")
    interfaces = [line.split(":")[0].strip() for line in (tmp_path / "result").read_text().splitlines()[2:]]
    assert interfaces == ["lo"]


def test_programs_in_a_root_see_the_callers_clock_and_no_other_variable_of_the_callers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Root(tmp_path, tmp_path, {}, 1)
    plain = root.environment()
    monkeypatch.setenv("FAKETIME", "+400d")
    assert root.environment() == plain
    monkeypatch.setenv("SECRET", "of the caller")
    monkeypatch.setenv("RIGFORGE_KEEP", "FAKETIME LD_PRELOAD SECRET")
    assert root.environment() == {**plain, "FAKETIME": "+400d"}
