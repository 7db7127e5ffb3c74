"""What makes things to use: the ISO and the container images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from invoke.context import Context

from rigforge.cli import task
from rigforge.tasks.parameters import CHECK, MIRROR, OFFLINE, SITE, STACK


@task(
    iterable=["set_"],
    help={
        "stack": STACK,
        **SITE,
        **MIRROR,
        **OFFLINE,
        **CHECK,
        "base-iso": "Ubuntu's live-server ISO of the lock, where you have it already",
        "out": "folder for the ISO (default: out)",
    },
)
def build_iso(
    context: Context,
    stack: str = "",
    set_: Sequence[str] | None = None,
    site: str = "",
    offline: bool = False,
    check: bool = False,
    mirror: str = "",
    base_iso: str = "",
    out: str = "",
) -> None:
    """
    Make the install ISO of a stack, and print where it is.

    Example: invoke build-iso --stack debian-12 --set hostname=gpu1 --set ssh_key="$(cat ~/.ssh/id_ed25519.pub)"
    """
    from rigforge import console
    from rigforge.artifacts import install_iso
    from rigforge.options import the_artifact, the_lock, the_mirrors, the_stack

    mirrors = the_mirrors(mirror)
    definition = the_stack(stack, mirrors, set_ or (), site, offline=offline)
    lock = the_lock(definition)
    artifact = install_iso(lock, Path(base_iso) if base_iso else None)
    iso = the_artifact(artifact, definition, lock, mirrors, offline=offline, check=check, out=out).path
    console.say(f"{iso.name} has {iso.stat().st_size / 1e9:.2f} GB. To write it to a USB stick (which this erases):")
    console.say(f"  sudo dd if={iso} of=/dev/sdX bs=4M status=progress conv=fsync")
    console.say("or with a program such as balenaEtcher or usb-creator; a DVD is burnt from it as an image.")
    print(f"iso: {iso}")


@task(
    help={
        "stack": STACK,
        **MIRROR,
        "image": "base, runtime or dev (default: all that the stack has)",
        "compression": "zstd, or gzip for registries and engines from before 2023 (Docker below 23)",
        "load": "bring the images into this machine's engine",
        "engine": "docker or podman, with --load (default: the first of them that answers)",
        "push": "copy the images to a registry: registry.lab:5000/gpu makes registry.lab:5000/gpu:dev, …",
        **OFFLINE,
        **CHECK,
        "out": "folder for the OCI layouts (default: out/images)",
    },
)
def build_images(
    context: Context,
    stack: str = "",
    image: str = "",
    compression: str = "zstd",
    load: bool = False,
    engine: str = "",
    push: str = "",
    offline: bool = False,
    check: bool = False,
    mirror: str = "",
    out: str = "",
) -> None:
    """
    Make the container images of a stack, of the same layers as its machines, and print where they are.

    Example: invoke build-images --stack debian-12 --image dev --load
    """
    from rigforge import console
    from rigforge.artifacts.oci_images import OciImages
    from rigforge.engine.find import find
    from rigforge.engine.image import reference, repository
    from rigforge.engine.load import load as load_into
    from rigforge.engine.load import push as push_to
    from rigforge.options import the_artifact, the_lock, the_mirrors, the_stack

    target = repository(push) if push else ""
    loader = find(engine) if load else None
    mirrors = the_mirrors(mirror)
    definition = the_stack(stack, mirrors, offline=offline)
    artifact, lock = OciImages(image, compression), the_lock(definition)
    layout = the_artifact(artifact, definition, lock, mirrors, offline=offline, check=check, out=out)
    if "dev" in layout.images:
        folder = layout.path.with_name(f"{definition.name}-dev")
        console.say(f"For compose and for editors: {folder}/compose.yaml and {folder}/.devcontainer")
    for name, container in layout.images.items():
        if loader:
            load_into(loader, container.image, layout.path, name, reference(definition.name, name))
        if target:
            push_to(layout.path, name, f"{target}:{name}")
        print(f"image: {reference(definition.name, name)} {container.image.digest} {layout.path}")
