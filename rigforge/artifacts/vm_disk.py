"""The VM disk: rigforge-STACK-vm.qcow2, which starts by itself and takes its answers from a CIDATA volume."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from rigforge.artifacts.artifact import SBOM, Artifact, Bill, Build, Product, Subject
from rigforge.artifacts.stamp import Stamp
from rigforge.console import step
from rigforge.errors import UsageError
from rigforge.images import disk
from rigforge.layers.pipeline import make_layers
from rigforge.layers.plan import Layer, plan
from rigforge.lock.model import Lock
from rigforge.stack.model import Stack

#: Layers that only a medium has.
_OF_MEDIUM = ("boot", "medium")


@dataclass(frozen=True)
class VmDisk(Artifact[Product]):
    """A disk of the layers that an installed machine has; the same for all machines, as the answers are not on it."""

    task = "build-disk"
    noun = "a VM disk"
    figure = "VM disk"
    title = "disk for virtual machines"
    name = "rigforge-{stack}-vm"
    suffix = ".qcow2"
    of_site = False

    def beside(self, path: Path, end: str) -> Path:
        """Returns the file beside it that has its whole name; without its end that may be the name of an ISO."""
        return path.with_name(path.name + end)

    def fits(self, lock: Lock) -> bool:
        """Returns whether the layers have a boot loader, which Canonical's installer brings by itself."""
        return not lock.base_iso

    def layers(self, stack: Stack, lock: Lock) -> tuple[Layer, ...]:
        """Returns the layers up to the machine's, which is the last that a disk has."""
        return tuple(layer for layer in plan(stack, lock) if layer.name not in _OF_MEDIUM)

    def make(self, build: Build) -> Product:
        """Writes the disk."""
        if not self.fits(build.lock):
            raise UsageError(
                f"stack {build.stack.name}: its boot loader comes with Canonical's installer, and is in no layer",
                "make its ISO, and install a machine from that: build-iso",
            )
        layers = self.layers(build.stack, build.lock)
        if build.check:
            self.read_again(build, layers)
        make_layers(layers, build.cache, build.mirrors, lambda _: None, offline=build.offline)
        contents, epoch = disk.on_disk(layers), build.lock.source_date_epoch
        identity = disk.identity(contents, epoch)
        output = self.path(build.stack.name, build.out)
        stamp, stamped = Stamp(identity.id, disk.making(contents)), Stamp.of(output)
        if stamped != stamp:
            with step(f"writing {output.name}") as elapsed:
                disk.write(contents, build.cache, identity, epoch, output)
                replace(stamp, seconds=round(elapsed(), 1)).put(output)
        bill = Bill(self.beside(output, SBOM).name, Subject(output.name, "system"), layers)
        return Product(output, stamped != stamp, layers, (bill,))
