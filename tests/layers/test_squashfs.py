"""One file for the whole machine: what the layers show together, and nothing of what an upper one removed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from rigforge.layers.build import Cache, squash_whole
from rigforge.layers.plan import Layer


def layer(cache: Cache, name: str, parent: Layer | None, *files: str) -> Layer:
    made = Layer(name, parent, (), 1_780_000_000)
    for file in files:
        (cache.rootfs(made) / file).parent.mkdir(parents=True, exist_ok=True)
        (cache.rootfs(made) / file).write_text(name)
    return made


def listed(image: Path) -> list[str]:
    command = ["unsquashfs", "-l", "-d", "", image]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_it_holds_what_the_layers_show_together(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    base = layer(cache, "base", None, "etc/kept", "etc/changed")
    host = layer(cache, "host", base, "etc/changed", "boot/vmlinuz")
    image = squash_whole(host, cache, 3)
    assert image.layer == "base+host"
    assert listed(image.path) == ["/boot", "/boot/vmlinuz", "/etc", "/etc/changed", "/etc/kept"]
    shown = subprocess.run(["unsquashfs", "-cat", image.path, "etc/changed"], capture_output=True, check=True).stdout
    assert shown == b"host"
    assert image.content_bytes == 5 * 4096
    assert not list(tmp_path.rglob("*.mounted"))


def test_it_is_made_once(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    host = layer(cache, "host", layer(cache, "base", None, "a"), "b")
    first = squash_whole(host, cache, 3).path.stat()
    assert squash_whole(host, cache, 3).path.stat() == first
