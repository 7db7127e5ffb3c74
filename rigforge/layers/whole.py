"""One squashfs of a layer and all that it stands on, for whoever wants one file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from rigforge import namespace
from rigforge.console import step
from rigforge.layers import inside
from rigforge.layers.build import Cache, Squashfs, built_squashfs, squash_request
from rigforge.layers.plan import Layer
from rigforge.process import run


def squash(layer: Layer, cache: Cache, level: int) -> Squashfs:
    """Returns the squashfs of a built layer with all below it, made now where it is missing."""
    chain = layer.chain()
    name = "+".join(each.name for each in chain)
    made_by = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    alone = cache.squashfs(layer, level)
    output = alone.with_name(f"{alone.stem}-whole-{made_by}.squashfs")
    if not output.with_suffix(".json").exists():
        output.parent.mkdir(parents=True, exist_ok=True)
        lowers = [str(cache.rootfs(each)) for each in reversed(chain)]
        request = {**squash_request(layer, output, level), "lowers": lowers}
        with step("squashfs of the whole machine"):
            namespace.call("rigforge.layers.whole:inside_squash", request, log=cache.log("squashfs-whole"))
    return built_squashfs(name, output)


def inside_squash(request: dict[str, Any]) -> None:
    """Makes it of `lowers`, upper directories of layers, top first; otherwise as `rigforge.layers.inside.squash`."""
    mounted = Path(request["output"]).with_suffix(".mounted")
    mounted.mkdir(exist_ok=True)
    options = f"lowerdir={':'.join(request['lowers'])},userxattr"
    run(["mount", "-t", "overlay", "overlay", "-o", options, mounted])
    try:
        inside.squash({**request, "source": str(mounted)})
    finally:
        run(["umount", mounted])
        mounted.rmdir()
