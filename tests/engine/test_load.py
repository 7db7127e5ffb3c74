"""An image into an engine: what Docker gets, and what is said where it cannot take it."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from rigforge.engine.find import Engine
from rigforge.engine.load import load
from rigforge.errors import RigforgeError
from rigforge.images import blob
from rigforge.images.oci import HistoryLayer, Image
from tests.engine.docker_daemon import answering

Install = Callable[[str, str], Path]

DOCKER = Engine("docker", (20, 10))


@pytest.fixture
def image(tmp_path: Path) -> Image:
    with blob.create(tmp_path / "layer.tar", "zstd") as tar:
        tar.addfile(tarfile.TarInfo("file"))
    made = blob.find(tmp_path / "layer.tar")
    assert made
    return Image((HistoryLayer("base", made),), {}, 0)


def test_docker_gets_the_image_under_its_name(image: Image, socket: Path, tmp_path: Path) -> None:
    with answering(socket) as got:
        load(DOCKER, image, tmp_path, "base", "rigforge/smoke:base")
    with tarfile.open(fileobj=io.BytesIO(got)) as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest
        assert json.load(manifest)[0]["RepoTags"] == ["rigforge/smoke:base"]


def test_a_full_disk_is_named_in_the_daemons_words(image: Image, socket: Path, tmp_path: Path) -> None:
    with answering(socket, loading="write /usr/bin/x: no space left on device"), pytest.raises(RigforgeError) as error:
        load(DOCKER, image, tmp_path, "base", "rigforge/smoke:base")
    assert "no space left on device" in error.value.message
    assert "docker system prune" in error.value.hint


def test_a_daemon_that_is_gone_is_no_traceback(image: Image, socket: Path, tmp_path: Path) -> None:
    with pytest.raises(RigforgeError, match="there is no socket"):
        load(DOCKER, image, tmp_path, "base", "rigforge/smoke:base")


def test_podman_takes_it_from_the_layout_and_names_it(image: Image, tmp_path: Path, install: Install) -> None:
    log, layout = tmp_path / "log", tmp_path / "images/smoke"
    layout.mkdir(parents=True)
    install("podman", f'echo "$@" >> {log}\n[ "$1" = tag ] || echo sha256:1234')
    load(Engine("podman", (4, 3)), image, layout, "base", "rigforge/smoke:base")
    assert log.read_text().splitlines() == ["pull --quiet oci:smoke:base", "tag sha256:1234 rigforge/smoke:base"]
