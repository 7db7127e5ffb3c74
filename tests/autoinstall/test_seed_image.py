"""A volume labelled CIDATA: real FAT images, read back with mtools."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from invoke.context import Context

from rigforge.autoinstall.seed_image import nocloud, write_volume
from rigforge.errors import RigforgeError
from rigforge.installer.document import parse
from rigforge.tasks.site import seed

DOCUMENT = """\
version: 1
identity: {hostname: gold, username: rig, realname: Rig Förge}
ssh:
  authorized-keys:
    - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKa1ZOKl1nIskXRCHU+rQb0nYBMZL7sMskVr+D9ktLGv someone@example
user-data:
  write_files: [{path: /etc/motd, content: !!binary aGVsbG8K}]
"""


def make(document: str, image: Path) -> None:
    write_volume(nocloud(document, "gold"), image)


def content(image: Path, name: str) -> str:
    return subprocess.run(["mtype", "-i", image, f"::{name}"], check=True, capture_output=True).stdout.decode()


def names(image: Path) -> set[str]:
    listing = subprocess.run(["mdir", "-b", "-i", image, "::"], check=True, capture_output=True, text=True).stdout
    return {line.removeprefix("::/") for line in listing.split()}


def test_the_volume_is_labelled_and_holds_the_document_under_autoinstall(tmp_path: Path) -> None:
    image = tmp_path / "cidata.img"
    make(DOCUMENT, image)

    label = subprocess.run(["mlabel", "-s", "-i", image, "::"], check=True, capture_output=True, text=True).stdout
    assert "CIDATA" in label
    assert names(image) == {"user-data", "meta-data"}
    text = content(image, "user-data")
    assert text.startswith("#cloud-config\n")
    assert set(yaml.safe_load(text)) == {"autoinstall"}
    assert parse(text, "read back") == parse(DOCUMENT, "given")
    assert yaml.safe_load(content(image, "meta-data"))["local-hostname"] == "gold"


def test_a_wrapped_document_is_not_wrapped_again(tmp_path: Path) -> None:
    image = tmp_path / "cidata.img"
    make(yaml.safe_dump({"autoinstall": yaml.safe_load(DOCUMENT)}), image)
    assert parse(content(image, "user-data"), "read back") == parse(DOCUMENT, "given")


def test_the_same_document_gives_the_same_bytes_at_another_time_and_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "a.img", tmp_path / "elsewhere" / "b.img"
    second.parent.mkdir()
    make(DOCUMENT, first)
    os.utime(first, (0, 0))
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    previous = os.umask(0o077)
    try:
        make(DOCUMENT, second)
    finally:
        os.umask(previous)
    assert first.read_bytes() == second.read_bytes()
    # FAT keeps the date in its directory entries: 1980-01-01 is 0x0021, and no other may be in it.
    dates = {first.read_bytes()[offset + 24 : offset + 26] for offset in entries(first)}
    assert dates == {b"\x21\x00"}


def entries(image: Path) -> list[int]:
    """Where the directory entries of the two files begin."""
    data = image.read_bytes()
    return [data.index(b"USER-D~1   "), data.index(b"META-D~1   ")]


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    make(DOCUMENT, tmp_path / "cidata.img")
    assert (tmp_path / "cidata.img").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["cidata.img"]


def test_a_document_larger_than_the_volume_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RigforgeError, match="larger than 512 KiB"):
        make(DOCUMENT + "#" * 600_000, tmp_path / "cidata.img")


def test_the_task_makes_a_volume_for_one_host_or_its_files_for_netboot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    login = "ssh_key=ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKa1ZOKl1nIskXRCHU+rQb0nYBMZL7sMskVr+D9ktLGv someone"
    seed(Context(), host="gpu07", stack="smoke", set_=[login])
    seed(Context(), out="web", host="gpu07", stack="smoke", set_=[login], netboot=True)
    assert capsys.readouterr().out == "seed: gpu07.img\nseed: web/gpu07\n"
    seed(Context(), out="web", host="gpu07", stack="smoke", set_=[login])
    assert capsys.readouterr().out == "seed: web/gpu07.img\n"
    assert {file.name for file in (tmp_path / "web/gpu07").iterdir()} == {"user-data", "meta-data"}
    for name in ("user-data", "meta-data"):
        assert content(tmp_path / "gpu07.img", name) == (tmp_path / "web/gpu07" / name).read_text()
    assert yaml.safe_load(content(tmp_path / "gpu07.img", "meta-data"))["local-hostname"] == "gpu07"
