"""What a report is told of the artifacts that lie in its folder."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from pathlib import Path

from rigforge import artifacts
from rigforge.artifacts.artifact import Result
from rigforge.artifacts.iso import Iso
from rigforge.artifacts.oci_images import OciImages
from rigforge.artifacts.stamp import Stamp
from rigforge.images import blob, oci
from rigforge.layers.build import Cache

SHA256 = "5d" * 32


def an_iso(folder: Path) -> Path:
    iso = folder / "rigforge-smoke.iso"
    iso.write_bytes(b"iso")
    Stamp("c0ffee", "layout").put(iso)
    return iso


def of_iso(folder: Path) -> Result:
    return Iso().result(Iso().path("smoke", folder), Cache(folder))


def test_an_empty_folder_has_nothing(tmp_path: Path) -> None:
    for artifact in artifacts.ARTIFACTS:
        assert artifact.result(artifact.path("smoke", tmp_path), Cache(tmp_path)) == Result()


def test_the_iso_has_its_checksum_from_the_file_beside_it(tmp_path: Path) -> None:
    iso = an_iso(tmp_path)
    (tmp_path / "rigforge-smoke.sha256").write_text(f"{'00' * 32}  other\n{SHA256}  {iso.name}\n")
    result = of_iso(tmp_path)
    (digest,) = result.digests
    assert (digest.name, digest.digest, digest.size) == (iso.name, f"sha256:{SHA256}", 3)
    assert (result.medium, result.sizes) == ("c0ffee", {"ISO": 3})


def test_an_iso_that_was_changed_is_of_no_known_medium(tmp_path: Path) -> None:
    an_iso(tmp_path).write_bytes(b"another")
    result = of_iso(tmp_path)
    assert ([digest.digest for digest in result.digests], result.medium) == ([""], "")


def test_documents_are_found_as_far_as_they_are_there(tmp_path: Path) -> None:
    for end in ("cdx.json", "intoto.json"):
        (tmp_path / f"rigforge-smoke.{end}").write_text("{}")
    (tmp_path / "rigforge-debian-12.sha256").write_text("")
    assert [document.path.name for document in of_iso(tmp_path).files] == [
        "rigforge-smoke.cdx.json",
        "rigforge-smoke.intoto.json",
    ]


def test_images_are_read_from_their_layout(tmp_path: Path) -> None:
    file = tmp_path / "layer.tar"
    with blob.create(file, "zstd") as tar:
        tar.addfile(tarfile.TarInfo("empty"), io.BytesIO())
    layer = blob.get(file)
    image = oci.Image((oci.HistoryLayer("rigforge layer base", layer),), {}, 0)
    oci.write(tmp_path / "images/smoke", {"base": image})
    result = OciImages().result(tmp_path / "images/smoke", Cache(tmp_path))
    (digest,) = result.digests
    assert (digest.name, digest.digest, digest.size) == ("image base", image.digest, layer.size)
    assert [step.name for step in result.steps] == ["tar of layer base"]


def test_a_layer_of_two_images_is_one_step_with_its_time(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    file = tmp_path / "blobs/layer.tar"
    with blob.create(file, "zstd") as tar:
        tar.addfile(tarfile.TarInfo("empty"), io.BytesIO())
    facts = file.with_suffix(".json")
    facts.write_text(facts.read_text().replace("{", '{"seconds": 2.5, ', 1))
    image = oci.Image((oci.HistoryLayer("dockerfiles/base.Dockerfile", blob.get(file)),), {}, 0)
    oci.write(tmp_path / "images/smoke", {"base": image, "dev": replace(image, epoch=1)})
    result = OciImages().result(tmp_path / "images/smoke", Cache(tmp_path))
    assert [(step.name, step.seconds) for step in result.steps] == [("tar of base.Dockerfile", 2.5)]
