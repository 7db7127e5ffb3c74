"""A layer's directory as a tar: owners, links, attributes, and whiteouts as OCI images have them."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from dataclasses import asdict
from pathlib import Path

import pytest

from rigforge import namespace
from rigforge.images import blob, changeset

EPOCH = 1_700_000_000


def fill(request: dict[str, str]) -> None:
    """Inside: a layer with one of everything."""
    source = Path(request["source"])
    (source / "etc").mkdir(parents=True)
    (source / "etc/motd").write_text("hello")
    (source / "etc/motd").chmod(0o640)
    os.chown(source / "etc/motd", 12, 34)
    (source / "etc/same").hardlink_to(source / "etc/motd")
    (source / "etc/link").symlink_to("/etc/motd")
    (source / "bin").symlink_to("usr/bin")
    os.mknod(source / "etc/gone", stat.S_IFCHR, os.makedev(0, 0))
    os.setxattr(source / "etc/motd", "user.note", b"\x00\xff")
    for path in [*source.rglob("*")]:
        os.utime(path, (EPOCH, EPOCH + 0.5), follow_symlinks=False)


@pytest.fixture
def members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, tarfile.TarInfo]:
    monkeypatch.setattr("rigforge.process.KEPT", ("PATH", "PYTHONPATH"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    source, output = tmp_path / "rootfs", tmp_path / "layer.tar"
    namespace.call("test_changeset:fill", {"source": str(source)}, log=tmp_path / "log")
    request = changeset.Request(str(source), str(output), "zstd")
    namespace.call("rigforge.images.changeset:pack", asdict(request), log=tmp_path / "log")
    namespace.remove_tree(source)
    made = blob.find(output)
    assert made
    with tarfile.open(fileobj=io.BytesIO(b"".join(made.chunks()))) as tar:
        return {member.name: member for member in tar.getmembers()}


def test_names_are_in_order_with_folders_first(members: dict[str, tarfile.TarInfo]) -> None:
    assert [*members] == ["bin", "etc", "etc/.wh.gone", "etc/link", "etc/motd", "etc/same"]


def test_what_a_layer_hides_is_a_whiteout(members: dict[str, tarfile.TarInfo]) -> None:
    whiteout = members["etc/.wh.gone"]
    assert whiteout.isreg()
    assert whiteout.size == 0


def test_links_are_links(members: dict[str, tarfile.TarInfo]) -> None:
    assert members["bin"].issym()
    assert (members["etc/link"].linkname, members["bin"].linkname) == ("/etc/motd", "usr/bin")
    assert members["etc/same"].islnk()
    assert members["etc/same"].linkname == "etc/motd"


def test_owners_modes_and_attributes_are_the_files(members: dict[str, tarfile.TarInfo]) -> None:
    motd = members["etc/motd"]
    assert (motd.mode, motd.uid, motd.gid) == (0o640, 12, 34)
    assert (motd.uname, motd.gname) == ("", "")
    assert motd.pax_headers["SCHILY.xattr.user.note"].encode("utf-8", "surrogateescape") == b"\x00\xff"


def test_times_are_whole_seconds(members: dict[str, tarfile.TarInfo]) -> None:
    assert {member.mtime for member in members.values()} == {EPOCH}
