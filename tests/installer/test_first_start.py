"""The first start of a VM disk, from the document on a volume to the files that the installer would have left."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from rigforge.installer import first_start
from rigforge.installer.section import DocumentError
from tests.installer.documents import document, layout

WHERE = "user-data on /dev/vdb (CIDATA)"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A disk that was never started."""
    for path in (first_start.UNIT, first_start.STARTED_BY):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    return tmp_path


def start(root: Path, monkeypatch: pytest.MonkeyPatch, user_data: str | bytes | None) -> str:
    """Starts the disk with a volume that has this user-data, None for no volume."""
    content = user_data.encode() if isinstance(user_data, str) else user_data
    volume = root.parent / f"volume of {root.name}"

    @contextmanager
    def mounted(*_: str, at: Path) -> Iterator[Path]:
        volume.mkdir()
        (volume / "user-data").write_bytes(content or b"")
        yield volume

    monkeypatch.setattr(first_start.command, "run", lambda _: 0)
    monkeypatch.setattr(first_start, "mounted", mounted)
    monkeypatch.setattr(first_start.media, "cidata_volumes", lambda: [] if content is None else ["/dev/vdb"])
    monkeypatch.setattr(first_start.media, "of_volume", lambda: None if content is None else (content.decode(), WHERE))
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


@pytest.mark.parametrize(
    "user_data",
    [
        "#cloud-config\nusers: [{name: rig}]\n",
        "#!/bin/sh\necho hello\n",
        '#!/bin/bash\nif [ -e "/etc/x" ]; then\n\techo "a: b": c\nfi\n',
        "## template: jinja\n#cloud-config\n{% if v1.region %}\nhostname: {{ v1.region }}\n{% endif %}\n",
        'Content-Type: multipart/mixed; boundary="=="\nMIME-Version: 1.0\n\n--==\nContent-Type: text/x-shellscript\n',
        "MIME-Version: 1.0\nContent-Type: text/cloud-config\nMIME-Version: 1.0\n",
        "#include\nhttps://cloud.example/one: [\n",
        "\n#Cloud-Boothook\n#!/bin/sh\n\techo: [\n",
        "#part-handler\ndef list_types():\n    return [\n",
        gzip.compress(document().encode()),
        "",
    ],
)
def test_what_is_cloud_inits_own_is_left_to_it(
    user_data: str | bytes, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "cloud-init reads it" in start(root, monkeypatch, user_data)
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
