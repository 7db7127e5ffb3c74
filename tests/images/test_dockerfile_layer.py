"""What a Dockerfile adds: one layer in our form, which changes no file of another."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.images import blob
from rigforge.images.dockerfile_layer import merge

EPOCH = 1_700_000_000


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A layer as a tool leaves it: in its own order, with names of owners and its own times."""
    file = tmp_path / "top.tar"
    with tarfile.open(file, "w") as tar:
        for name in ("usr/local/bin/tool", "etc/resolv.conf", "etc/passwd"):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.uname = len(name), EPOCH + 60, "builder"
            tar.addfile(entry, io.BytesIO(name.encode()))
    return file


def test_the_top_layer_is_in_order_and_holds_nothing_of_the_tool(top: Path, tmp_path: Path) -> None:
    merge(top, tmp_path / "made.tar", "zstd", EPOCH, above=[])
    made = blob.find(tmp_path / "made.tar")
    assert made
    with tarfile.open(fileobj=io.BytesIO(b"".join(made.chunks()))) as tar:
        found = [(member.name, member.mtime, member.uname) for member in tar.getmembers()]
    assert found == [("etc/passwd", EPOCH, ""), ("usr/local/bin/tool", EPOCH, "")]


def test_a_file_that_a_layer_in_between_has_too_is_refused(top: Path, tmp_path: Path) -> None:
    (tmp_path / "devel/etc").mkdir(parents=True)
    (tmp_path / "devel/etc/passwd").write_text("more users")
    with pytest.raises(RigforgeError, match="changes /etc/passwd"):
        merge(top, tmp_path / "made.tar", "zstd", EPOCH, above=[tmp_path / "devel"])
    assert blob.find(tmp_path / "made.tar") is None
