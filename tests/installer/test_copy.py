"""What is installed is what the live system's overlay of the same layers shows."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rigforge.installer import copy as module
from rigforge.installer.copy import (
    MediumLayer,
    Notes,
    compare,
    copy,
    differing_content,
    read_notes,
    union,
    write_out,
)
from rigforge.installer.errors import InstallError
from tests.installer.namespaces import in_own_namespace

LONG_AGO = 1_600_000_000


def write(root: Path, path: str, text: str = "") -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text or path)
    return file


def whiteout(root: Path, path: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    os.mknod(root / path, 0o600 | 0o020000, os.makedev(0, 0))


def opaque(folder: Path) -> None:
    """Marks the folder as overlayfs does, by the attribute that this process may set."""
    try:
        os.setxattr(folder, "trusted.overlay.opaque", b"y")
    except PermissionError:
        os.setxattr(folder, "user.overlay.opaque", b"y")


def squashed(folder: Path) -> MediumLayer:
    """Returns the folder as a layer. The folder stands for the mounted file, which needs a loop device."""
    file = folder.with_suffix(".squashfs")
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (LONG_AGO, LONG_AGO), follow_symlinks=False)
    subprocess.run(["mksquashfs", folder, file, "-noappend", "-quiet", "-no-progress"], check=True, capture_output=True)
    return MediumLayer(file, folder)


def base(root: Path) -> Path:
    write(root, "boot/vmlinuz", "kernel")
    write(root, "bin/tool").chmod(0o4755)
    (root / "bin/same-tool").hardlink_to(root / "bin/tool")
    (root / "bin/sh").symlink_to("/bin/tool")
    write(root, "etc/removed")
    write(root, "etc/removed.d/one")
    write(root, "share/replaced/old")
    write(root, "share/kept/old")
    write(root, "was-file")
    write(root, "was-folder/content")
    (root / "was-link").symlink_to("share")
    return root


def host(root: Path) -> Path:
    write(root, "bin/tool", "a new one")
    write(root, "bin/sh", "a file where a link was")
    whiteout(root, "etc/removed")
    whiteout(root, "etc/removed.d")
    write(root, "share/replaced/new")
    opaque(root / "share/replaced")
    write(root, "share/kept/new")
    write(root, "was-file/content")
    write(root, "was-folder")
    write(root, "was-link/content")
    return root


def in_overlay(layers: list[MediumLayer], where: Path) -> Path:
    """Mounts what the live system shows, by whichever attributes `opaque` could set."""
    where.mkdir()
    [name] = os.listxattr(layers[-1].mount / "share/replaced")
    options = "lowerdir=" + ":".join(str(layer.mount) for layer in reversed(layers))
    options += ",userxattr" if name.startswith("user.") else ""
    subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", where], check=True)
    return where


def ignore(_done: int) -> None:
    pass


@in_own_namespace
def test_the_copy_is_what_the_overlay_shows(tmp_path: Path) -> None:
    layers = [squashed(base(tmp_path / "base")), squashed(host(tmp_path / "host"))]
    target = tmp_path / "target"
    copy(layers, target, ignore)
    compare(in_overlay(layers, tmp_path / "expected"), target)

    assert (target / "bin/tool").read_text() == "a new one"
    assert (target / "bin/same-tool").read_text() == "bin/tool"
    assert (target / "bin/same-tool").stat().st_mode & 0o7777 == 0o4755
    assert (target / "bin/sh").read_text() == "a file where a link was"
    assert sorted(path.name for path in (target / "etc").iterdir()) == []
    assert [path.name for path in (target / "share/replaced").iterdir()] == ["new"]
    assert sorted(path.name for path in (target / "share/kept").iterdir()) == ["new", "old"]
    assert (target / "was-link/content").read_text() == "was-link/content"
    assert (target / "etc").stat().st_mtime == LONG_AGO
    assert not [name for path in target.rglob("*") for name in os.listxattr(path, follow_symlinks=False)]


def test_hard_links_stay_one_file(tmp_path: Path) -> None:
    target = tmp_path / "target"
    copy([squashed(base(tmp_path / "base"))], target, ignore)
    assert (target / "bin/tool").samefile(target / "bin/same-tool")


def test_an_absolute_link_in_a_lower_layer_does_not_lead_out_of_the_target(tmp_path: Path) -> None:
    outside = write(tmp_path, "outside/file", "the live system's own")
    lower, upper = tmp_path / "lower", tmp_path / "upper"
    lower.mkdir()
    (lower / "file").symlink_to(outside)
    (lower / "folder").symlink_to(outside.parent)
    write(upper, "file", "new")
    write(upper, "folder/file", "new")
    target = tmp_path / "target"
    copy([squashed(lower), squashed(upper)], target, ignore)
    assert outside.read_text() == "the live system's own"
    assert (target / "file").read_text() == (target / "folder/file").read_text() == "new"


@in_own_namespace
def test_the_union_of_one_layer_is_that_layer_and_of_two_their_overlay(tmp_path: Path) -> None:
    one = MediumLayer(tmp_path / "1.squashfs", write(tmp_path, "1/a").parent)
    two = MediumLayer(tmp_path / "2.squashfs", write(tmp_path, "2/b").parent)
    with union([one], tmp_path) as source:
        assert source == one.mount
    with union([one, two], tmp_path) as source:
        assert sorted(path.name for path in source.iterdir()) == ["a", "b"]
    assert not source.is_mount()


def test_notes_name_what_a_layer_hides(tmp_path: Path) -> None:
    notes = read_notes(host(tmp_path / "host"))
    assert sorted(notes.whiteouts) == ["./etc/removed", "./etc/removed.d"]
    assert notes.opaque == ["./share/replaced"]
    assert [path for path, _ in notes.attributes] == ["./share/replaced"]
    assert "./was-folder" in notes.covers and "./was-file" in notes.folders
    assert notes.folders[0] == "."


def test_a_plain_folder_hides_nothing_of_its_own(tmp_path: Path) -> None:
    assert read_notes(tmp_path) == Notes(folders=["."])


def chmod(target: Path) -> None:
    (target / "bin/tool").chmod(0o755)


def remove(target: Path) -> None:
    (target / "bin/sh").unlink()


def add(target: Path) -> None:
    write(target, "bin/extra")


def shorten(target: Path) -> None:
    (target / "share/kept/old").write_text("x")


def part_links(target: Path) -> None:
    tool = target / "bin/same-tool"
    tool.unlink()
    tool.write_text("bin/tool")
    tool.chmod(0o4755)
    os.utime(tool, (LONG_AGO, LONG_AGO))
    os.utime(tool.parent, (LONG_AGO, LONG_AGO))


def flip_a_byte_of_the_kernel(target: Path) -> None:
    kernel = target / "boot/vmlinuz"
    kernel.write_text("kernal")
    os.utime(kernel, (LONG_AGO, LONG_AGO))


def test_a_squashfs_in_which_nothing_has_attributes_has_no_notes_in_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(*_: object, **__: object) -> list[str]:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    (tmp_path / "file").write_text("")
    monkeypatch.setattr(os, "listxattr", answer)
    assert read_notes(tmp_path) == Notes(folders=["."], covers=["./file"])


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (chmod, "bin/tool"),
        (remove, "bin/sh"),
        (add, "bin/extra"),
        (shorten, "share/kept/old"),
        (part_links, "bin/same-tool"),
        (flip_a_byte_of_the_kernel, "content  vmlinuz"),
    ],
)
def test_what_differs_from_the_medium_is_named(damage: Callable[[Path], None], named: str, tmp_path: Path) -> None:
    source, target = base(tmp_path / "source"), tmp_path / "target"
    squashed(source)
    subprocess.run(["rsync", "--archive", "--hard-links", f"{source}/", f"{target}/"], check=True)
    compare(source, target)
    damage(target)
    with pytest.raises(InstallError, match=r"differs from the medium") as caught:
        compare(source, target)
    assert named in caught.value.message


def test_a_missing_byte_at_the_end_is_found(tmp_path: Path) -> None:
    write(tmp_path, "a/kernel", "12")
    write(tmp_path, "b/kernel", "123")
    assert differing_content(tmp_path / "a", tmp_path / "b") == ["kernel"]
    assert differing_content(tmp_path / "b", tmp_path / "a") == ["kernel"]
    assert differing_content(tmp_path / "a", tmp_path / "a") == []


def test_a_disk_that_does_not_take_what_is_written_may_be_failing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "run", lambda *_, **__: 1)
    with pytest.raises(InstallError, match="did not take all that was written") as caught:
        write_out(tmp_path)
    assert "failing" in caught.value.hint
