"""All that is known of a stack's build, gathered from cache, lock and folder of results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rigforge import artifacts
from rigforge.artifacts.artifact import Result, Step
from rigforge.errors import RigforgeError
from rigforge.layers.build import Cache, Squashfs, squashed
from rigforge.layers.plan import plan
from rigforge.lock.decision import of_lock
from rigforge.lock.model import Lock, digest, read
from rigforge.report import timing, verification
from rigforge.report.chain import Link, chain
from rigforge.report.disk_usage import PackageSize, packages
from rigforge.report.graph import Graph, graph
from rigforge.report.verification import Unfinished, Verification
from rigforge.stack.choose import preference
from rigforge.stack.load import load
from rigforge.stack.model import Stack
from rigforge.store.store import Store


@dataclass(frozen=True)
class BuildReport:
    """A build as its page shows it.

    `layers` are the shipped ones that are built, bottom first, `squashfs` those of them that are compressed;
    `lock_sha256` (hex) is of the lock's text; `missing` are names of shipped layers that are not built.
    """

    stack: str
    description: str
    lock_sha256: str
    archives: tuple[str, ...]
    download: int
    chain: tuple[Link, ...]
    graph: Graph | None
    layers: tuple[str, ...]
    missing: tuple[str, ...]
    packages: tuple[PackageSize, ...]
    squashfs: tuple[Squashfs, ...]
    steps: tuple[Step, ...]
    results: tuple[Result, ...]
    verifications: tuple[Verification | Unfinished, ...]


def gather(stack: Stack, lock: Lock, cache: Cache, folder: Path) -> BuildReport:
    """Gathers the report of a stack from what is built of it in `cache` and made of it in `folder`.

    Raises RigforgeError where no layer of it is built.
    """
    layers = plan(stack, lock)
    shipped = [layer for layer in layers if layer.shipped]
    built = [layer for layer in shipped if cache.layer(layer).exists()]
    if not built:
        raise RigforgeError(
            f"nothing of stack {stack.name} is built yet", f"build it first: invoke build-iso --stack {stack.name}"
        )
    level = stack.medium.zstd_level
    results = [
        artifact.result(artifact.path(stack.name, folder / artifact.folder), cache) for artifact in artifacts.of(lock)
    ]
    return BuildReport(
        stack=stack.name,
        description=stack.description,
        lock_sha256=digest(lock),
        archives=tuple(f"{archive.role} {archive.suite}: {archive.date}" for archive in lock.archives),
        download=sum({file.sha256: file.size for file in lock.files}.values()),
        chain=chain(stack, lock),
        graph=graph(locked) if (locked := of_lock(stack, lock.versions)) else None,
        layers=tuple(layer.name for layer in built),
        missing=tuple(layer.name for layer in shipped if layer not in built),
        packages=packages(built, lock, stack.python.version, cache),
        squashfs=tuple(image for layer in built if (image := squashed(layer, cache, level))),
        steps=(
            timing.of_downloads(lock.files, Store(cache.directory / "store")),
            *timing.steps(layers, cache, level),
            *(step for result in results for step in result.steps),
        ),
        results=tuple(results),
        verifications=verification.find(stack.name, folder),
    )


def built_stack(cache: Cache) -> Stack:
    """Returns the preferred stack of those of which a layer is built. Raises RigforgeError where there is none."""
    names = preference()
    for name in names:
        stack = load(name)
        if stack.lock_path.exists() and _any_built(stack, cache):
            return stack
    raise RigforgeError(f"none of the stacks {', '.join(names)} is built yet", "build one first: invoke build-iso")


def _any_built(stack: Stack, cache: Cache) -> bool:
    return any(cache.layer(layer).exists() for layer in plan(stack, read(stack.lock_path)))
