"""Brings an image from its OCI layout into an engine, or into a registry."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import cast

from rigforge import process
from rigforge.console import step
from rigforge.engine.find import Engine, daemon
from rigforge.errors import RigforgeError
from rigforge.images.archive import stream
from rigforge.images.oci import Image

_LOOPBACK = re.compile(r"(localhost|127\.[0-9.]+|\[::1\])[:/]")

#: Seconds that the daemon may take to unpack one layer.
PATIENCE = 3600


def load(engine: Engine, image: Image, layout: Path, tag: str, reference: str) -> None:
    """Loads an image, `tag` in `layout`, and names it `reference`; the engine has it whole or not at all.

    Raises RigforgeError with the engine's own words.
    """
    with step(f"loading {reference} into {engine}"):
        if engine.name == "podman":
            _into_podman(layout, tag, reference)
        else:
            _into_docker(image, reference)


def push(layout: Path, tag: str, reference: str) -> None:
    """Copies an image, `tag` in `layout`, to a registry, with its digests as they are.

    Raises RigforgeError with the registry's own words.
    """
    source = f"oci:{layout.name}:{tag}"
    with step(f"pushing {reference}"):
        try:
            # As Docker does it: a registry on this machine need not speak TLS.
            encrypted = f"--dest-tls-verify={'false' if _LOOPBACK.match(reference) else 'true'}"
            copy = ["skopeo", "copy", "--quiet", "--preserve-digests", encrypted]
            process.run([*copy, source, f"docker://{reference}"], cwd=layout.parent, env=os.environ)
        except process.CommandFailed as failure:
            raise RigforgeError(
                f"{reference} could not be pushed:\n{failure.message}",
                "log in with `skopeo login`; a registry without TLS is named in /etc/containers/registries.conf",
            ) from None


def _into_docker(image: Image, reference: str) -> None:
    from docker.errors import ImageLoadError

    with daemon() as client:
        client.api.timeout = PATIENCE
        try:
            # The SDK hands it on to requests, which takes any iterator.
            client.images.load(cast(bytes, stream(image, reference)))
        except ImageLoadError as error:
            raise RigforgeError(
                f"docker could not load {reference}: {error}",
                "where its disk is full, `docker system df` says of what, and `docker system prune` makes room",
            ) from error


def _into_podman(layout: Path, tag: str, reference: str) -> None:
    # A path from here, as podman makes a name of it, and not every path is one.
    pulled = process.run(["podman", "pull", "--quiet", f"oci:{layout.name}:{tag}"], cwd=layout.parent, env=os.environ)
    process.run(["podman", "tag", pulled.stdout.split()[-1], reference], env=os.environ)
