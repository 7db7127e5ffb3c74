"""OCI layouts: complete, consistent, and without anything that no image needs."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from rigforge.images import archive, blob, oci

EPOCH = 1_700_000_000


def layer(folder: Path, name: str, compression: str = "zstd") -> oci.HistoryLayer:
    folder.mkdir(exist_ok=True)
    with blob.create(folder / f"{name}.tar", compression) as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(name)
        tar.addfile(entry, io.BytesIO(name.encode()))
    made = blob.find(folder / f"{name}.tar")
    assert made
    return oci.HistoryLayer(f"rigforge layer {name}", made)


def image(folder: Path, *names: str) -> oci.Image:
    return oci.Image(tuple(layer(folder / "cache", name) for name in names), {"Cmd": ["bash"]}, EPOCH)


def tags(layout: Path) -> list[str]:
    return [entry["annotations"]["org.opencontainers.image.ref.name"] for entry in oci.read_index(layout)]


def test_every_blob_is_under_its_digest(tmp_path: Path) -> None:
    oci.write(tmp_path / "layout", {"base": image(tmp_path, "base"), "dev": image(tmp_path, "base", "devel")})
    for file in (tmp_path / "layout/blobs/sha256").iterdir():
        assert hashlib.sha256(file.read_bytes()).hexdigest() == file.name


def test_images_share_the_layers_they_have_in_common(tmp_path: Path) -> None:
    oci.write(tmp_path / "layout", {"base": image(tmp_path, "base"), "dev": image(tmp_path, "base", "devel")})
    # Two layers, and a manifest and a configuration of each image.
    assert len([*(tmp_path / "layout/blobs/sha256").iterdir()]) == 2 + 2 * 2


def test_another_tool_reads_it(tmp_path: Path) -> None:
    written = image(tmp_path, "base", "devel")
    oci.write(tmp_path / "layout", {"dev": written})
    inspected = subprocess.run(
        ["skopeo", "inspect", "oci:layout:dev"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    found = json.loads(inspected.stdout)
    assert found["Digest"] == written.digest
    assert found["Created"] == "2023-11-14T22:13:20Z"
    assert found["Layers"] == [layer.blob.digest for layer in written.layers]


def test_an_image_written_anew_replaces_the_old_one_and_leaves_the_others(tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    oci.write(layout, {"base": image(tmp_path, "base"), "dev": image(tmp_path, "base", "old")})
    oci.write(layout, {"dev": image(tmp_path, "base", "new")})
    assert tags(layout) == ["base", "dev"]
    digests = {file.name for file in (layout / "blobs/sha256").iterdir()}
    assert layer(tmp_path / "cache", "new").blob.digest.removeprefix("sha256:") in digests
    assert layer(tmp_path / "cache", "old").blob.digest.removeprefix("sha256:") not in digests


def test_the_same_image_is_the_same_layout(tmp_path: Path) -> None:
    oci.write(tmp_path / "one", {"base": image(tmp_path, "base")})
    oci.write(tmp_path / "two", {"base": image(tmp_path, "base")})
    read = [{file.name: file.read_bytes() for file in (tmp_path / name).rglob("*.json")} for name in ("one", "two")]
    assert read[0] == read[1]


@pytest.fixture
def docker_archive(tmp_path: Path) -> dict[str, bytes]:
    """What `docker load` gets."""
    stream = b"".join(archive.stream(image(tmp_path, "base", "devel"), "rigforge/smoke:dev"))
    with tarfile.open(fileobj=io.BytesIO(stream)) as tar:
        files = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        return {name: file.read() for name, file in files.items() if file}


def test_docker_gets_plain_tars_that_every_version_reads(docker_archive: dict[str, bytes]) -> None:
    (described,) = json.loads(docker_archive["manifest.json"])
    assert described["RepoTags"] == ["rigforge/smoke:dev"]
    config: dict[str, Any] = json.loads(docker_archive[described["Config"]])
    read = [f"sha256:{hashlib.sha256(docker_archive[name]).hexdigest()}" for name in described["Layers"]]
    assert read == config["rootfs"]["diff_ids"]
