"""A Dockerfile on top of our layers, built once for the same layers and files."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rigforge import namespace
from rigforge.console import step
from rigforge.images import blob, dockerfile_layer, oci
from rigforge.images.blob import Blob
from rigforge.layers.build import Cache, keep_seconds
from rigforge.layers.plan import Layer
from rigforge.paths import SHARE

FOLDER = SHARE / "dockerfiles"


def build(
    name: str, layers: Sequence[tuple[Layer, Blob]], config: Mapping[str, Any], cache: Cache, compression: str
) -> tuple[Blob, dict[str, Any]]:
    """Builds dockerfiles/NAME.Dockerfile on `layers` (with their blobs, bottom first), whose configuration is `config`.

    Returns the layer that it adds, and the configuration that it makes of `config`. Raises RigforgeError.
    """
    (base, base_blob), *uppers = layers
    epoch = base.epoch
    output = cache.blob(_key(name, [layer for layer, _ in layers], config), compression)
    configuration = output.with_suffix(".config.json")
    if product := blob.find(output):
        return product, json.loads(configuration.read_text())
    with (
        step(f"{name}.Dockerfile") as elapsed,
        tempfile.TemporaryDirectory(dir=output.parent, prefix=".top-") as directory,
    ):
        folder = Path(directory)
        work = folder / "work"
        work.mkdir()
        oci.write(folder / "layout", {"base": oci.Image((oci.HistoryLayer("base", base_blob),), config, epoch)})
        request = dockerfile_layer.Request(
            dockerfile=str(FOLDER / f"{name}.Dockerfile"),
            context=str(FOLDER),
            layout=str(folder / "layout"),
            above=[str(cache.rootfs(layer)) for layer, _ in uppers],
            epoch=epoch,
            compression=compression,
            output=str(output),
            config=str(configuration),
            work=str(work),
        )
        try:
            namespace.call(
                "rigforge.images.dockerfile_layer:build", asdict(request), log=cache.log(f"dockerfile-{name}")
            )
            keep_seconds(output.with_suffix(".json"), elapsed())
        finally:
            namespace.remove_tree(work)
    return blob.get(output), json.loads(configuration.read_text())


def _key(name: str, layers: Sequence[Layer], config: Mapping[str, Any]) -> str:
    """Returns a hash of all that goes into it."""
    files = [file for file in sorted((FOLDER / "files").iterdir()) if file.is_file()]
    sources = [Path(dockerfile_layer.__file__), FOLDER / f"{name}.Dockerfile", *files]
    content = [hashlib.sha256(source.read_bytes()).hexdigest() for source in sources]
    inputs = [config, content, [[layer.key, layer.epoch] for layer in layers]]
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:40]
