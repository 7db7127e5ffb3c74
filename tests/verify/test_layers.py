"""The tree of layers is that of overlayfs: an upper layer's file hides a lower one's, and so does a whiteout."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.images.iso import text_in_squashfs
from rigforge.verify.layers import read


def image(folder: Path, *layers: Mapping[str, str | None]) -> tuple[Path, dict[str, int]]:
    """Returns a file with one squashfs after the other, and where each begins; files have a text, whiteouts none."""
    whole, starts = folder / "image", {}
    whole.touch()
    for number, files in enumerate(layers):
        layer, squashfs = folder / f"{number}", folder / f"{number}.squashfs"
        for place, content in files.items():
            (layer / place).parent.mkdir(parents=True, exist_ok=True)
            if content is not None:
                (layer / place).write_text(content)
        whiteouts = [f"{place} c 0 0 0 0 0" for place, content in files.items() if content is None]
        options = ["-quiet", "-no-progress", *(word for each in whiteouts for word in ("-p", each))]
        subprocess.run(["mksquashfs", layer, squashfs, *options], check=True)
        starts[f"layer {number}"] = whole.stat().st_size
        whole.write_bytes(whole.read_bytes() + squashfs.read_bytes())
    return whole, starts


def extracted(folder: Path, *layers: Mapping[str, str | None]) -> dict[str, str]:
    out = folder / "out"
    read(*image(folder, *layers)).extract(lambda place: place.startswith("etc/"), out)
    return {str(file.relative_to(out)): file.read_text() for file in out.rglob("*") if file.is_file()}


def test_the_uppermost_file_is_seen(tmp_path: Path) -> None:
    assert extracted(tmp_path, {"etc/a": "old", "etc/b": "b"}, {"etc/a": "new", "usr/c": "c"}) == {
        "etc/a": "new",
        "etc/b": "b",
    }


def test_a_whiteout_hides_a_file_and_what_is_below_a_folder(tmp_path: Path) -> None:
    below = {"etc/a": "a", "etc/apt/b": "b", "etc/apt/c": "c", "etc/d": "d"}
    assert extracted(tmp_path, below, {"etc/a": None, "etc/apt": None}) == {"etc/d": "d"}


def test_a_file_in_the_place_of_a_folder_hides_what_is_below_it(tmp_path: Path) -> None:
    assert extracted(tmp_path, {"etc/apt/b": "b"}, {"etc/apt": "a file"}) == {"etc/apt": "a file"}


def test_what_was_hidden_may_come_again(tmp_path: Path) -> None:
    assert extracted(tmp_path, {"etc/a": "1"}, {"etc/a": None}, {"etc/a": "3"}) == {"etc/a": "3"}


def test_names_with_spaces_and_arrows_are_whole(tmp_path: Path) -> None:
    files: dict[str, str | None] = {"etc/a file": "1", "etc/*": "2"}
    assert extracted(tmp_path, files) == files


def test_a_link_and_its_folder_are_seen(tmp_path: Path) -> None:
    (tmp_path / "0/etc").mkdir(parents=True)
    (tmp_path / "0/etc/link").symlink_to("a")
    tree = read(*image(tmp_path, {"etc/a": "1"}))
    assert tree.files.keys() == {"etc/a", "etc/link"}
    assert tree.directories == {"etc"}


def test_what_is_no_squashfs_is_named(tmp_path: Path) -> None:
    whole, starts = image(tmp_path, {"etc/a": "1"})
    with pytest.raises(RigforgeError, match="layer 0 cannot be read"):
        read(whole, {name: start + 100 for name, start in starts.items()})


def test_one_file_is_read_without_the_others(tmp_path: Path) -> None:
    whole, starts = image(tmp_path, {"etc/a": "0"}, {"etc/b": "1"})
    assert text_in_squashfs(whole, starts["layer 1"], "etc/b") == "1"
    assert text_in_squashfs(whole, starts["layer 1"], "etc/a") is None
