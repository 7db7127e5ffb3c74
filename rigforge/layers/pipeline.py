"""Layers from a stack's lock: fetched, built where they are missing, and finished while the next one is built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from rigforge import namespace, process
from rigforge.layers.build import Cache, build, missing
from rigforge.layers.plan import Layer
from rigforge.sources.mirrors import Mirrors
from rigforge.store.store import Store

T = TypeVar("T")


def make_layers(
    layers: Sequence[Layer], cache: Cache, mirrors: Mirrors, finish: Callable[[Layer], T], *, offline: bool
) -> list[tuple[Layer, T]]:
    """Builds what is missing of `layers` and returns those that are shipped, bottom first, with what `finish` made.

    A layer is finished (compressed) while the next one is built.
    """
    store = Store(cache.directory / "store")
    to_build = missing(layers, cache)
    if to_build:
        namespace.check()  # before gigabytes are fetched
        store.fetch([file for layer in to_build for file in layer.files], mirrors, offline=offline)
    futures: list[tuple[Layer, Future[T]]] = []
    with ThreadPoolExecutor(max_workers=1) as compressor:
        try:
            for layer in layers:
                if layer in to_build:
                    store.confirm(layer.files, mirrors, offline=offline)
                    build(layer, store, cache)
                if layer.shipped:
                    futures.append((layer, compressor.submit(finish, layer)))
            return [(layer, future.result()) for layer, future in futures]
        except BaseException:
            compressor.shutdown(wait=False, cancel_futures=True)
            process.end_all()
            raise
