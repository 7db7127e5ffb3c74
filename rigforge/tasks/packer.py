"""Packer projects for pipelines of others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from invoke.context import Context

from rigforge.cli import task
from rigforge.errors import RigforgeError, UsageError
from rigforge.tasks.parameters import MIRROR, SITE, STACK


@task(
    iterable=["set_"],
    help={
        "template": "iso: the build of the install medium; ubuntu: a virtual machine of Canonical's ISO",
        "stack": STACK,
        **SITE,
        **MIRROR,
        "key": "with ubuntu: SSH key whose public half is in the stack's site values",
        "out": "folder for the project (default: out/packer/STACK-TEMPLATE)",
    },
)
def packer(
    context: Context,
    template: str,
    stack: str = "",
    set_: Sequence[str] | None = None,
    site: str = "",
    mirror: str = "",
    key: str = "",
    out: str = "",
) -> None:
    """
    Write a Packer project, a template with its values, and print its folder: packer build FOLDER.

    Example: invoke packer iso --stack debian-12 --site site.toml
    """
    from rigforge import paths
    from rigforge.artifacts import install_iso
    from rigforge.autoinstall import ubuntu
    from rigforge.autoinstall.seed_image import nocloud, write_files
    from rigforge.build_lock import exclusive
    from rigforge.images.packer_values import UNPACKED, iso_values, locked_medium, ubuntu_values
    from rigforge.layers.build import Cache, squash
    from rigforge.layers.pipeline import make_layers
    from rigforge.layers.plan import plan
    from rigforge.options import the_lock, the_mirrors, the_stack
    from rigforge.store.store import Store
    from rigforge.verify.packer import render, version

    mirrors = the_mirrors(mirror)
    if template not in ("iso", "ubuntu"):
        raise UsageError(f"there is no template {template!r} for others to run", "it is one of: iso, ubuntu")
    wanted = the_stack(stack, mirrors, set_ or (), site)
    lock = the_lock(wanted)
    folder = Path(out) if out else paths.PROJECT / "out/packer" / f"{wanted.name}-{template}"
    if template == "iso":
        if set_:
            raise UsageError(
                "the project has the path of a file with site values, not --set", "put them into site.toml"
            )
        values = Path(site or "site.toml")
        if not values.is_file():
            raise RigforgeError(f"{values}: there is no such file", "write the site's values into it: --site FILE")
        iso = install_iso(lock).path(wanted.name, folder.parent)
        render(folder, template, iso_values(wanted, lock, values, iso), version())
    else:
        if not Path(key).is_file():
            raise UsageError(f"--key {key or 'is missing'}", "name the SSH key that Packer logs in with")
        medium = locked_medium(wanted, lock)
        document = ubuntu.render(wanted, "linux-generic", medium.version[:5], source="ubuntu-server")
        store, cache = Store(paths.home() / "store"), Cache(paths.home())
        with exclusive():
            store.fetch([medium], mirrors)
            store.confirm_sealed(medium, mirrors)
            layers = [layer for layer in plan(wanted, lock) if layer.name in ("base", *UNPACKED)]
            packed = partial(squash, cache=cache, level=wanted.medium.zstd_level)
            images = [image.path for _, image in make_layers(layers, cache, mirrors, packed, offline=False)][1:]
        base = store.path(medium.sha256)
        render(folder, template, ubuntu_values(wanted, lock, base, images, Path(key), folder), version())
        write_files(nocloud(document, wanted.machine.hostname), folder / "http", private=bool(wanted.secrets))
    print(f"packer: {folder}")
