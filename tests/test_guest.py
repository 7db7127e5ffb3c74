"""Paths of a guest: its links count from its own root."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rigforge import guest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_text("the machine's")
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.mark.parametrize("target", ["{outside}", "../../../outside", "//{outside}"])
def test_a_link_leads_to_nothing_outside(root: Path, target: str) -> None:
    outside = root.with_name("outside")
    (root / "link").symlink_to(target.format(outside=outside))
    assert guest.resolve(root, "link/file").is_relative_to(root)
    assert guest.glob(root, "link/*") == []
    with pytest.raises(FileNotFoundError):
        guest.read(root, "link/file")
    guest.write(root, "/link/file", "the guest's")
    assert guest.read(root, "link/file") == "the guest's"
    assert (outside / "file").read_text() == "the machine's"


def test_the_last_link_is_followed_unless_it_is_meant_itself(root: Path) -> None:
    (root / "link").symlink_to("/etc/name")
    assert guest.resolve(root, "link") == root / "etc/name"
    assert guest.resolve(root, "link", follow=False) == root / "link"


def test_the_root_is_its_own_parent(root: Path) -> None:
    assert guest.resolve(root, "../../etc/../../file") == root / "file"


def test_links_that_lead_to_each_other_are_an_error(root: Path) -> None:
    (root / "one").symlink_to("two")
    (root / "two").symlink_to("one")
    with pytest.raises(OSError, match="symbolic links"):
        guest.resolve(root, "one")


def test_a_pipe_is_neither_read_nor_written_but_replaced(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(FileNotFoundError):
        guest.read(root, "pipe")
    guest.write(root, "pipe", "text", 0o600)
    assert (guest.read(root, "pipe"), (root / "pipe").stat().st_mode & 0o777) == ("text", 0o600)
