"""Canonical's live-server medium, and what is added to it: layers as an install source, the document, the menu.

Its layout is that of the media of 22.04 and later; how its installer reads install-sources.yaml is in subiquity's
`subiquity/models/source.py`.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import yaml

from rigforge import atomic
from rigforge.autoinstall.ubuntu import SOURCE
from rigforge.errors import RigforgeError
from rigforge.foreign import boundary
from rigforge.images import iso
from rigforge.images.medium import Medium, padded, target_disk
from rigforge.layers.build import Squashfs
from rigforge.layers.recipes.pool import FILE as POOL_SOURCE
from rigforge.records.checksums import sha256
from rigforge.stack.model import Stack

#: The live session's kernel and initramfs, by their names in the layer `boot`.
LIVE_KERNEL = {"casper/rigforge/vmlinuz": "vmlinuz", "casper/rigforge/initrd": "initrd.img"}

_INFO, _SOURCES, _SUMS = ".disk/info", "casper/install-sources.yaml", "md5sum.txt"


@dataclass(frozen=True)
class LiveServer:
    """A medium of Canonical's: its file and that file's sha256 (hex), and what it says of itself.

    `release` is Ubuntu's, as "24.04"; `sources` is install-sources.yaml, `md5sums` has the MD5 (hex) of its files.
    `pool_source` is apt's source (deb822) of the medium's pool, with the key that signs it; "" where Ubuntu's keyring
    has that key, as until 25.10.
    """

    path: Path
    sha256: str
    release: str
    sources: Any
    md5sums: Mapping[str, str]
    pool_source: str


def read(path: Path, digest: str) -> LiveServer:
    """Reads a medium whose sha256 is known to be `digest`. Raises RigforgeError where it is no live-server medium."""
    texts = {}
    with tempfile.TemporaryDirectory(prefix="rigforge-") as directory:
        for place in (_INFO, _SOURCES, _SUMS):
            file = Path(directory) / Path(place).name
            if not iso.extract(path, place, file):
                raise RigforgeError(
                    f"{path} has no {place}: it is not a live-server ISO of Ubuntu 22.04 or later",
                    "take ubuntu-RELEASE-live-server-amd64.iso, neither the desktop's nor a netboot image",
                )
            with boundary(f"{path}: {place}"):
                texts[place] = file.read_text(encoding="utf-8")
    release = re.match(r"Ubuntu-Server (\d\d\.\d\d)", texts[_INFO])
    if not release:
        raise RigforgeError(f"{path} is no Ubuntu Server: it calls itself {texts[_INFO].strip()}")
    sums = {name: md5 for md5, name in re.findall(r"^([0-9a-f]{32})  \./(.+)$", texts[_SUMS], re.MULTILINE)}
    with boundary(f"{path}: {_SOURCES}"):
        sources = yaml.safe_load(texts[_SOURCES])
    return LiveServer(path, digest, release[1], sources, sums, _pool_source(path, sources))


def _pool_source(path: Path, sources: Any) -> str:
    """Returns apt's source of the pool as the layers of the medium's own default source have it; "" for none."""
    default = next((source for source in listed(sources) if source.get("default")), {"path": ""})
    places = iso.extents(path, "/casper")
    for name in reversed(mounted(default["path"])):
        place = places.get(f"casper/{name}")
        if place and (text := iso.text_in_squashfs(path, place[0][0], POOL_SOURCE)) is not None:
            return text
    return ""


def listed(sources: Any) -> list[dict[str, Any]]:
    """Returns the sources of an install-sources.yaml: a list until 24.04, a mapping that has one from 25.04 on."""
    entries: list[dict[str, Any]] = sources["sources"] if isinstance(sources, dict) else sources
    return entries


def mounted(path: str) -> list[str]:
    """Returns the files that the installer mounts over each other for a source's path, bottom first.

    >>> mounted("minimal.server.squashfs")
    ['minimal.squashfs', 'minimal.server.squashfs']
    """
    parts = path.removesuffix(".squashfs").split(".")
    return [".".join(parts[:number]) + ".squashfs" for number in range(1, len(parts) + 1)]


def lay_out(
    stack: Stack, server: LiveServer, images: Sequence[Squashfs], boot: Path, document: str, kernel: str, epoch: int
) -> Medium:
    """Returns what is added to `server`, or put in the place of its own.

    `images` are bottom first, the last being the live session's own top; `boot` is the directory with that session's
    kernel and initramfs, `document` the autoinstall document, `kernel` the release of the installed kernel,
    `epoch` (seconds since 1970) the time of everything added.
    """
    names = chain(image.layer for image in images)
    machine_images = [image for image in images if image.layer != "medium"]
    large = {f"casper/{name}": image.path for name, image in zip(names, images, strict=True)}
    digests = {f"casper/{name}": image.sha256 for name, image in zip(names, images, strict=True)}
    for place, name in LIVE_KERNEL.items():
        large[place], digests[place] = boot / name, sha256(boot / name)
    disk = target_disk(stack, "the largest disk")
    values = {"stack": stack.name, "countdown": stack.medium.countdown, "disk": disk, "live": names[-1]}
    kind = "fsimage" if len(machine_images) == 1 else "fsimage-layered"
    source = _source(stack, kind, names[len(machine_images) - 1], sum(image.content_bytes for image in machine_images))
    cards = {"gpus": list(stack.machine.gpus)} if stack.machine.gpus else {}
    content = json.dumps([server.sha256, digests, document, _menu("", values), source, *cards.values()], sort_keys=True)
    identity = hashlib.sha256(content.encode()).hexdigest()[:16]
    description = {
        "id": identity,
        "stack": stack.name,
        "layers": [f"{layer}.squashfs" for image in machine_images for layer in image.layer.split("+")],
        "rootfs_bytes": source["size"],
        "kernel": kernel,
        "base": server.sha256,
        **cards,
    }
    texts = {
        "autoinstall.yaml": padded(document),
        "boot/grub/grub.cfg": padded(_menu(identity, values)),
        _SOURCES: with_source(server.sources, source),
        "rigforge/medium.json": json.dumps(description, indent=2) + "\n",
    }
    sums = {f"casper/{name}": _md5_of_image(image.path) for name, image in zip(names, images, strict=True)}
    sums |= {place: _md5((boot / name).read_bytes()) for place, name in LIVE_KERNEL.items()}
    sums |= {place: _md5(text.encode()) for place, text in texts.items()}
    all_sums = {**server.md5sums, **sums}
    texts[_SUMS] = "".join(f"{md5}  ./{place}\n" for place, md5 in sorted(all_sums.items()))
    sizes = {place: len(text.encode()) for place, text in texts.items()}
    layout = json.dumps([server.sha256, digests, sizes, stack.medium.volume_id, epoch], sort_keys=True)
    return Medium(identity, large, texts, hashlib.sha256(layout.encode()).hexdigest(), bool(stack.secrets))


def chain(layers: Iterable[str]) -> list[str]:
    """Returns the file names by which casper and the installer know what a layer stands on.

    A name is split at every dot, each part being one layer.

    >>> chain(["base", "cuda", "host"])
    ['rigforge.squashfs', 'rigforge.cuda.squashfs', 'rigforge.cuda.host.squashfs']
    """
    names = [SOURCE]
    for layer in list(layers)[1:]:
        names.append(f"{names[-1]}.{layer}")
    return [f"{name}.squashfs" for name in names]


def with_source(sources: Any, source: Mapping[str, Any]) -> str:
    """Returns install-sources.yaml with one more source, which becomes the default.

    `sources` is a list, as until 24.04, or a mapping that has one, as from 25.04 on.
    """
    neighbours = [{**entry, "default": False} for entry in listed(sources) if entry["id"] != source["id"]]
    entries = [dict(source), *neighbours]
    document = {**sources, "sources": entries} if isinstance(sources, dict) else entries
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def _source(stack: Stack, kind: str, path: str, size: int) -> dict[str, Any]:
    return {
        "id": SOURCE,
        "default": True,
        "name": {"en": f"Rigforge {stack.name}"},
        "description": {"en": stack.description or stack.name},
        "variant": "server",
        "type": kind,
        "path": path,
        "size": size,
        "locale_support": "none",
    }


def _menu(identity: str, values: Mapping[str, Any]) -> str:
    text = Path(__file__).with_name("live_server.cfg.j2").read_text()
    template = jinja2.Template(text, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return str(template.render(id=identity, **values))


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _md5_of_image(file: Path) -> str:
    """Returns the MD5 (hex) of a squashfs, which never changes: it is kept beside it."""
    digest_file = file.with_suffix(".md5")
    if not digest_file.exists():
        with file.open("rb") as content:
            md5 = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        atomic.write(digest_file, md5)
    return digest_file.read_text()
