"""The first start of a VM disk, from the document on a volume to the files that the installer would have left."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from documents import document, layout

from rigforge.installer import first_start
from rigforge.installer.section import DocumentError

WHERE = "user-data on /dev/vdb (CIDATA)"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A disk that was never started."""
    for path in (first_start.UNIT, first_start.STARTED_BY):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    return tmp_path


def start(root: Path, monkeypatch: pytest.MonkeyPatch, text: str | None) -> str:
    """Starts the disk with a volume that has this user-data, None for no volume."""
    monkeypatch.setattr(first_start.command, "run", lambda _: 0)
    monkeypatch.setattr(first_start.media, "of_volume", lambda: None if text is None else (text, WHERE))
    return first_start.first_start(root)


def test_the_document_becomes_the_machine_that_the_installer_makes_of_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert start(root, monkeypatch, "#cloud-config\n" + document()) == f"document: {WHERE}"
    assert (root / "etc/hostname").read_text() == "gold\n"
    user_data = yaml.safe_load((root / "var/lib/cloud/seed/nocloud/user-data").read_text())
    assert [user["name"] for user in user_data["users"]] == ["rig"]
    assert "AllowUsers rig" in (root / "etc/ssh/sshd_config.d/rigforge-users.conf").read_text()
    assert "fs_label: null" in (root / "etc/cloud/cloud.cfg.d/90-rigforge.cfg").read_text()


def test_two_machines_of_one_disk_and_one_document_are_two_instances(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = set()
    for name in ("one", "two"):
        start(tmp_path / name, monkeypatch, document())
        names.add((tmp_path / name / "var/lib/cloud/seed/nocloud/meta-data").read_text())
    assert len(names) == 2


def test_a_machine_that_is_made_is_not_made_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start(root, monkeypatch, document())
    assert not (root / first_start.UNIT).exists()
    assert not (root / first_start.STARTED_BY).exists()


@pytest.mark.parametrize("text", ["#cloud-config\nusers: [{name: rig}]\n", "#!/bin/sh\necho hello\n", ""])
def test_what_is_cloud_inits_own_is_left_to_it(text: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "cloud-init reads it" in start(root, monkeypatch, text)
    assert not (root / "etc/hostname").exists()
    assert not (root / first_start.UNIT).exists()


def test_without_a_volume_it_waits_for_one(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert start(root, monkeypatch, None) == ""
    assert (root / first_start.UNIT).exists()
    assert (root / first_start.STARTED_BY).exists()


@pytest.mark.parametrize(
    "text",
    [
        document(identity={"hostname": "gold"}),
        document(storage=layout(name="lvm", password="correct horse")),
        "autoinstall: {version: 1}",
    ],
)
def test_a_document_that_cannot_be_carried_out_changes_nothing(
    text: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(root.rglob("*"))
    with pytest.raises(DocumentError):
        start(root, monkeypatch, text)
    assert sorted(root.rglob("*")) == before


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (document(), True),
        (yaml.safe_dump({"autoinstall": {"version": 1}}), True),
        ("#cloud-config\nhostname: gold\n", False),
        ("- a list\n", False),
    ],
)
def test_a_document_is_known_by_what_only_it_has(text: str, is_one: bool) -> None:
    assert first_start.is_document(text, "here") == is_one
