"""From a stack and its lock to an artifact that is attested, and to the program rigforge-doctor."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from rigforge.artifacts.artifact import Artifact, Build, Product
from rigforge.attest import sidecars
from rigforge.console import say
from rigforge.doctor.build import PROGRAM, place
from rigforge.layers.build import Cache
from rigforge.layers.pipeline import make_layers
from rigforge.layers.plan import plan
from rigforge.lock.model import Lock
from rigforge.paths import home
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.model import Stack

P = TypeVar("P", bound=Product)

#: Said of what is still there from an earlier build, by its seal.
UNCHANGED = "{}: unchanged, not read again (--check reads everything)"


def make(artifact: Artifact[P], build: Build) -> P:
    """Makes an artifact of a stack, with what is attested of it; what is there already is used again.

    Raises RigforgeError; what was complete before the error is kept for the next run.
    """
    product = artifact.make(build)
    if not product.changed and not build.check:
        say(UNCHANGED.format(product.path.name))
    if product.changed or not sidecars.described(artifact, product.path, build.lock):
        sidecars.describe(artifact, product, build)
    return product


def build_doctor(stack: Stack, lock: Lock, mirrors: Mirrors, folder: Path) -> Path:
    """Returns rigforge-doctor in `folder`, as the stack's machines and images have it. Raises RigforgeError."""
    layers = [layer for layer in plan(stack, lock) if layer.name in ("base", "doctor")]
    cache = Cache(home())
    make_layers(layers, cache, mirrors, lambda layer: None, offline=False)
    return place(cache.rootfs(layers[-1]) / PROGRAM, folder)
