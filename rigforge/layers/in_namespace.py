"""What runs as root of the namespace: one layer built."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rigforge.layers import perturbation
from rigforge.layers.root import Root, clean, interfaces, overlay, settle
from rigforge.process import run


@dataclass(frozen=True)
class Request:
    """One layer to build; places are paths as text.

    `layer` is the recipe's name, `directory` an empty one (gets `rootfs`, the upper directory), `files` that of the
    locked files, `lowers` the upper directories of the layers below, top first; `products` and `epoch` are as in
    `Root`, `options` the recipe's, by name. Where nothing is below, the recipe makes the root.
    """

    layer: str
    directory: str
    files: str
    lowers: Sequence[str]
    products: Mapping[str, str]
    epoch: int
    options: Mapping[str, Any]


def build(content: dict[str, Any]) -> None:
    """Builds the layer that a `Request` names."""
    request = Request(**content)
    directory, files, epoch = Path(request.directory), Path(request.files), request.epoch
    lowers = [*map(Path, request.lowers), *perturbation.ground()]
    recipe = importlib.import_module(f"rigforge.layers.recipes.{request.layer}")
    path, upper, work = (directory / name for name in ("mounted", "rootfs", "work"))
    for part in (path, upper, work):
        part.mkdir()
    products = {name: Path(product) for name, product in request.products.items()}
    with overlay(path, lowers=lowers, upper=upper, work=work), perturbation.shuffled(path) as view:
        with ExitStack() as mounts:
            if request.lowers:
                mounts.enter_context(interfaces(view, files))
            recipe.build(Root(view, files, products, epoch), recipe.Options(**request.options))
        clean(view)
    settle(upper, lowers, epoch)
    sync(upper)


def sync(path: Path) -> None:
    """Waits until the file system of `path` is on the disk."""
    run(["sync", "--file-system", path])
