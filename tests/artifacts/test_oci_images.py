"""Container images in their layout: written once, one or all, with the definitions of the dev image beside it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from rigforge.artifacts.artifact import Build
from rigforge.artifacts.oci_images import OciImages
from rigforge.errors import RigforgeError, UsageError
from rigforge.images import blob, container, oci
from rigforge.images.blob import Blob
from rigforge.images.container import Container
from rigforge.images.description import Description
from rigforge.layers.build import Cache
from rigforge.layers.plan import Layer
from rigforge.lock.model import Lock, read
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.load import load
from rigforge.stack.model import Stack
from rigforge.store.comparison import compare


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """A build of debian-12, whose layers are stand-ins and there."""

    def a_blob(name: str) -> Blob:
        path = tmp_path / "home/blobs" / f"{name}.tar"
        if finished := blob.find(path):
            return finished
        with blob.create(path, "zstd") as tar:
            entry = tarfile.TarInfo(name)
            entry.size = len(name)
            tar.addfile(entry, io.BytesIO(name.encode()))
        return blob.get(path)

    def put_together(
        stack: Stack,
        lock: Lock,
        name: str,
        layers: Sequence[tuple[Layer, Blob]],
        doctor: Blob | None,
        cache: Cache,
        compression: str,
    ) -> Container:
        own = tuple(oci.HistoryLayer(f"rigforge layer {layer.name}", packed) for layer, packed in layers)
        description = Description.of(stack, lock, name, {layer.name: packed for layer, packed in layers})
        return Container(description, oci.Image(own, {}, lock.source_date_epoch))

    monkeypatch.setenv("RIGFORGE_HOME", str(tmp_path / "home"))
    (tmp_path / "home/blobs").mkdir(parents=True)
    monkeypatch.setattr(
        "rigforge.artifacts.oci_images.make_layers",
        lambda layers, cache, mirrors, finish, offline: [(each, a_blob(each.name)) for each in layers if each.shipped],
    )
    monkeypatch.setattr(container, "pack_doctor", lambda layer, cache, compression: a_blob("doctor"))
    monkeypatch.setattr(container, "put_together", put_together)
    stack = load("debian-12")
    return Build(stack, read(stack.lock_path), Mirrors({}), tmp_path / "out")


def tags(layout: Path) -> list[str]:
    return [descriptor["annotations"][oci.TAG] for descriptor in oci.read_index(layout)]


def test_all_that_the_stack_has_are_written_once(build: Build) -> None:
    first, second = (OciImages().make(build) for _ in range(2))
    assert (first.changed, second.changed) == (True, False)
    assert first.path == build.out / "debian-12"
    assert sorted(first.images) == tags(first.path) == ["base", "dev", "runtime"]
    assert [bill.file for bill in first.bills] == [f"debian-12-{name}.cdx.json" for name in first.images]
    assert first.subjects == {f"debian-12:{name}": image.image.digest[7:] for name, image in first.images.items()}


def test_one_alone_leaves_the_others_in_the_layout(build: Build) -> None:
    OciImages().make(build)
    alone = OciImages("base").make(build)
    assert [*alone.images] == ["base"]
    assert tags(alone.path) == ["base", "dev", "runtime"]


def test_definitions_of_the_dev_image_lie_beside(build: Build) -> None:
    assert not (OciImages("base").make(build).path.with_name("debian-12-dev")).exists()
    assert (OciImages("dev").make(build).path.with_name("debian-12-dev") / "compose.yaml").exists()


def test_an_image_that_the_stack_has_not_is_an_error(build: Build) -> None:
    with pytest.raises(UsageError, match="stack debian-12 has no image 'prod'") as error:
        OciImages("prod").make(build)
    assert error.value.hint == "it has: base, runtime, dev"


def test_the_index_vouches_for_manifests_and_these_for_the_rest(build: Build) -> None:
    layout = OciImages().make(build).path
    manifests, parts = OciImages().contents(layout)
    assert len(manifests) == 3
    assert {file.path for files in (manifests, parts) for file in files} == {
        str(file.relative_to(layout)) for file in layout.glob("blobs/sha256/*")
    }
    assert compare(manifests, layout) == compare(parts, layout) == []


def test_a_manifest_of_another_form_is_an_error_of_the_layout(build: Build) -> None:
    layout = OciImages("base").make(build).path
    (manifest,) = next(iter(OciImages().contents(layout)))
    (layout / manifest.path).unlink()
    (layout / manifest.path).write_text("{}")
    with pytest.raises(RigforgeError, match="has a manifest of another form"):
        list(OciImages().contents(layout))
