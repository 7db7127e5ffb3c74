"""What lies beside the report: ISO, images, documents."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from rigforge.build import Stamp
from rigforge.images import blob, oci
from rigforge.report.results import find

SHA256 = "5d" * 32


def an_iso(folder: Path) -> Path:
    iso = folder / "rigforge-smoke.iso"
    iso.write_bytes(b"iso")
    Stamp("c0ffee", "layout").put(iso)
    return iso


def test_an_empty_folder_has_nothing(tmp_path: Path) -> None:
    found = find("smoke", tmp_path)
    assert (found.iso, found.images, found.documents) == (None, (), ())


def test_the_iso_has_its_checksum_from_the_file_beside_it(tmp_path: Path) -> None:
    iso = an_iso(tmp_path)
    (tmp_path / "rigforge-smoke.sha256").write_text(f"{'00' * 32}  other\n{SHA256}  {iso.name}\n")
    found = find("smoke", tmp_path)
    assert found.iso and (found.iso.sha256, found.iso.size, found.iso.medium) == (SHA256, 3, "c0ffee")


def test_an_iso_that_was_changed_is_of_no_known_medium(tmp_path: Path) -> None:
    an_iso(tmp_path).write_bytes(b"another")
    found = find("smoke", tmp_path)
    assert found.iso and (found.iso.sha256, found.iso.medium) == ("", "")


def test_documents_are_found_as_far_as_they_are_there(tmp_path: Path) -> None:
    for end in ("cdx.json", "intoto.json"):
        (tmp_path / f"rigforge-smoke.{end}").write_text("{}")
    (tmp_path / "rigforge-debian-12.sha256").write_text("")
    found = find("smoke", tmp_path)
    assert [document.path.name for document in found.documents] == [
        "rigforge-smoke.cdx.json",
        "rigforge-smoke.intoto.json",
    ]


def test_images_are_read_from_their_layout(tmp_path: Path) -> None:
    file = tmp_path / "layer.tar"
    with blob.create(file, "zstd") as tar:
        tar.addfile(tarfile.TarInfo("empty"), io.BytesIO())
    image = oci.Image((oci.HistoryLayer("rigforge layer base", blob.get(file)),), {}, 0)
    oci.write(tmp_path / "images/smoke", {"base": image})
    (found,) = find("smoke", tmp_path).images
    assert (found.tag, found.digest) == ("base", image.digest)
    assert [(layer.name, layer.digest) for layer in found.layers] == [("rigforge layer base", blob.get(file).digest)]
