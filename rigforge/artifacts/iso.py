"""The install ISO with an installer of ours: rigforge-STACK.iso."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from rigforge.artifacts.artifact import SBOM, Artifact, Bill, Build, Product, Result, Subject
from rigforge.artifacts.stamp import Stamp
from rigforge.autoinstall.render import rendered
from rigforge.console import say, step
from rigforge.errors import UsageError
from rigforge.images import iso
from rigforge.images.medium import Medium, lay_out
from rigforge.layers.build import Cache, Squashfs, confirm, squash
from rigforge.layers.pipeline import make_layers
from rigforge.layers.plan import Layer
from rigforge.lock.model import Lock
from rigforge.records import checksums
from rigforge.stack.secrets import caution

#: What a machine may be started by, and Secure Boot with Microsoft's keys.
Firmware = Literal["bios", "uefi", "secureboot"]
FIRMWARES: tuple[Firmware, ...] = ("bios", "uefi", "secureboot")

#: What a medium says of its own files, in the format of sha256sum.
_SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Iso(Artifact[Product]):
    """An ISO that installs a stack's machine from its layers; `base_iso` is for those that are made from another."""

    base_iso: Path | None = None

    task = "build-iso"
    noun = "an ISO"
    figure = "ISO"
    title = "install medium"
    name = "rigforge-{stack}"
    suffix = ".iso"
    of_site = True
    trials: ClassVar[Mapping[str, str]] = {
        f"machine, {firmware}": f"verify/{{stack}}-{firmware}" for firmware in FIRMWARES
    }

    def fits(self, lock: Lock) -> bool:
        """Returns whether the stack of a lock has no medium of others."""
        return not lock.base_iso

    def make(self, build: Build) -> Product:
        """Writes the ISO, or only its texts where nothing else has changed."""
        stack, cache, epoch = build.stack, build.cache, build.lock.source_date_epoch
        if self.base_iso:
            raise UsageError(f"stack {stack.name} is not made from an ISO", "leave --base-iso out")
        if stack.medium.source == "fsimage":
            raise UsageError(f"stack {stack.name}: medium.source is for Canonical's installer", "leave it out")
        document = rendered(stack, build.lock)
        layers = self.layers(stack, build.lock)
        if build.check:
            self.read_again(build, layers)
        images = squashed(build, layers)
        boot = boot_files(layers, cache)
        medium = lay_out(stack, build.lock.versions["kernel"], images, boot, document, epoch)

        def write(output: Path) -> str:
            confirm(images, cache)
            return iso.write(medium, boot, stack.medium.volume_id, epoch, output)

        return self.product(build, layers, medium, write)

    def product(self, build: Build, layers: tuple[Layer, ...], medium: Medium, write: Callable[[Path], str]) -> Product:
        """Returns the ISO of a medium, which `write` writes where it is not there; that returns its sha256 (hex)."""
        output = self.path(build.stack.name, build.out)
        stamp, stamped = Stamp(medium.id, medium.layout), Stamp.of(output)
        sha256 = None
        if stamped != stamp:
            with step(f"writing {output.name}") as elapsed:
                if stamped and stamped.layout == medium.layout:
                    iso.rewrite(output, medium)
                else:
                    sha256 = write(output)
                replace(stamp, seconds=round(elapsed(), 1)).put(output)
            if build.stack.secrets:
                say(caution(output.name, build.stack.secrets))
        bill = Bill(self.beside(output, SBOM).name, Subject(output.name, "system"), layers)
        return Product(output, stamped != stamp, layers, (bill,), sha256)

    def members(self, path: Path) -> dict[str, str]:
        """Returns the files on the medium."""
        with tempfile.TemporaryDirectory(prefix="rigforge-") as directory:
            sums = Path(directory) / _SUMS
            return checksums.parse(sums.read_text()) if iso.extract(path, _SUMS, sums) else {}

    def extract(self, path: Path, member: str, target: Path) -> bool:
        """Puts a file of the medium into the file `target`."""
        return iso.extract(path, member, target)

    def result(self, path: Path, cache: Cache) -> Result:
        """Returns what a report tells of it, with the medium's id."""
        stamp = Stamp.of(path)
        return replace(super().result(path, cache), medium=(stamp.id if stamp else "") if path.exists() else None)


def squashed(build: Build, layers: tuple[Layer, ...]) -> tuple[Squashfs, ...]:
    """Returns the squashfs files of a medium, bottom first, one for each layer."""
    cache, level = build.cache, build.stack.medium.zstd_level
    images = make_layers(layers, cache, build.mirrors, lambda layer: squash(layer, cache, level), offline=build.offline)
    return tuple(image for _, image in images)


def boot_files(layers: tuple[Layer, ...], cache: Cache) -> Path:
    """Returns the directory with the boot files of a medium, from the built layer `boot`."""
    return cache.rootfs(next(layer for layer in layers if layer.name == "boot")) / "medium"
