"""What runs as root of the namespace: one layer built."""

from __future__ import annotations

import importlib
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rigforge.layers import perturbation
from rigforge.layers.root import Root, clean, interfaces, overlay, settle
from rigforge.process import run


def build(request: dict[str, Any]) -> None:
    """Builds one layer.

    `request`: `layer` (the recipe's name), `directory` (empty; gets `rootfs`, the upper directory), `files`
    (directory of the locked files), `lowers` (upper directories of the layers below, top first), `products`
    and `epoch` as in `Root`, `options` (the recipe's, by name). Where nothing is below, the recipe makes the root.
    """
    directory, files = Path(request["directory"]), Path(request["files"])
    lowers = [*(Path(lower) for lower in request["lowers"]), *perturbation.ground()]
    recipe = importlib.import_module(f"rigforge.layers.recipes.{request['layer']}")
    path, upper, work = (directory / name for name in ("mounted", "rootfs", "work"))
    for part in (path, upper, work):
        part.mkdir()
    products = {name: Path(product) for name, product in request["products"].items()}
    epoch, options = request["epoch"], recipe.Options(**request["options"])
    with overlay(path, lowers=lowers, upper=upper, work=work), perturbation.shuffled(path) as seen:
        with ExitStack() as mounts:
            if request["lowers"]:
                mounts.enter_context(interfaces(seen, files))
            recipe.build(Root(seen, files, products, epoch), options)
        clean(seen)
    settle(upper, lowers, epoch)
    sync(upper)


def sync(path: Path) -> None:
    """Waits until the file system of `path` is on the disk."""
    run(["sync", "--file-system", path])
