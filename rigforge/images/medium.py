"""The files of an install medium: what is on the ISO under which path."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2

from rigforge.layers.build import Squashfs
from rigforge.records.checksums import sha256, to_text
from rigforge.stack.model import Stack

#: What firmware starts: on the ISO, but not among its files.
BOOT_IMAGES = ("bios.img", "boot_hybrid.img", "efi.img")

#: Bytes; see `rigforge.images.iso.rewrite`.
PADDING = 16384


@dataclass(frozen=True)
class Medium:
    """All files of a medium: `large` are taken from where they are, `texts` are written for it.

    `id` names this very content; two media with the same id are the same. `layout` names what decides where on the
    ISO each file is: media that have it in common differ in nothing but the words of their texts. `private` says that
    a text holds a secret.
    """

    id: str
    large: Mapping[str, Path]
    texts: Mapping[str, str]
    layout: str
    private: bool = False


def lay_out(stack: Stack, kernel: str, images: tuple[Squashfs, ...], boot: Path, document: str, epoch: int) -> Medium:
    """Returns the files of the medium.

    `images` are bottom first, the last being the live system's own top; `boot` is the directory with the boot
    files, `document` the autoinstall document, `epoch` (seconds since 1970) the time of the ISO.
    """
    machine_images = [image for image in images if image.layer != "medium"]
    large = {f"live/{image.layer}.squashfs": image.path for image in images}
    for place, name in {
        "live/vmlinuz": "vmlinuz",
        "live/initrd.img": "initrd.img",
        "boot/memtest.bin": "memtest.bin",
        "boot/memtest.efi": "memtest.efi",
    }.items():
        large[place] = boot / name
    digests = {f"live/{image.layer}.squashfs": image.sha256 for image in images}
    digests |= {place: sha256(path) for place, path in large.items() if place not in digests}
    large_digests = digests | {name: sha256(boot / name) for name in BOOT_IMAGES}
    cards = {"gpus": list(stack.machine.gpus)} if stack.machine.gpus else {}
    content = json.dumps([large_digests, document, menu(stack, ""), *cards.values()], sort_keys=True)
    identity = hashlib.sha256(content.encode()).hexdigest()[:16]
    description = {
        "id": identity,
        "stack": stack.name,
        "layers": [f"{image.layer}.squashfs" for image in machine_images],
        "rootfs_bytes": sum(image.content_bytes for image in machine_images),
        "kernel": kernel,
        **cards,
    }
    texts = {
        ".disk/info": f"Rigforge {stack.name} {identity}\n",
        "autoinstall.yaml": padded(document),
        "boot/grub/grub.cfg": padded(menu(stack, identity)),
        "live/filesystem.module": "".join(f"{image.layer}.squashfs\n" for image in images),
        "rigforge/medium.json": json.dumps(description, indent=2) + "\n",
    }
    digests |= {place: hashlib.sha256(text.encode()).hexdigest() for place, text in texts.items()}
    texts["SHA256SUMS"] = to_text(digests)
    sizes = {place: len(text.encode()) for place, text in texts.items()}
    layout = json.dumps([large_digests, sizes, stack.medium.volume_id, epoch], sort_keys=True)
    return Medium(identity, large, texts, hashlib.sha256(layout.encode()).hexdigest(), bool(stack.secrets))


def padded(text: str) -> str:
    """Returns the text with empty lines up to a multiple of `PADDING` bytes, so that a small change keeps its size."""
    return text + "\n" * (-len(text.encode()) % PADDING)


def menu(stack: Stack, identity: str) -> str:
    """Returns GRUB's configuration."""
    text = Path(__file__).with_name("grub.cfg.j2").read_text()
    template = jinja2.Template(text, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return str(
        template.render(stack=stack.name, id=identity, countdown=stack.medium.countdown, disk=target_disk(stack))
    )


def target_disk(stack: Stack, otherwise: str = "the only disk") -> str:
    """Returns in words which disk the stack's match rules take, or `otherwise` where it has none."""
    rules = [rule.model_dump(exclude_none=True, exclude_defaults=True) for rule in stack.storage.match]
    words = [" ".join(f"{key} {value}" for key, value in rule.items()) for rule in rules]
    return f"the disk with {' or '.join(words)}".replace('"', "") if words else otherwise
