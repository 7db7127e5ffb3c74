"""The install ISO that is made from Canonical's, with its installer: rigforge-STACK.iso."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rigforge.artifacts.artifact import Build, Product
from rigforge.artifacts.iso import Iso, boot_files, squashed
from rigforge.autoinstall.render import rendered
from rigforge.errors import DamagedError
from rigforge.images import live_server, remaster
from rigforge.images.base_iso import check
from rigforge.layers.build import Squashfs, confirm, squash, squash_whole
from rigforge.layers.pipeline import make_layers
from rigforge.layers.plan import Layer, with_pool
from rigforge.lock.model import Lock
from rigforge.records.file import LockedFile


@dataclass(frozen=True)
class LiveServerIso(Iso):
    """Canonical's ISO with a stack's layers as an install source; `base_iso` is that ISO where the user has it."""

    def fits(self, lock: Lock) -> bool:
        """Returns whether the stack of a lock has a medium of others."""
        return bool(lock.base_iso)

    def files(self, lock: Lock) -> tuple[LockedFile, ...]:
        """Returns Canonical's ISO, unless the user has it."""
        return () if self.base_iso else lock.part("medium")

    def make(self, build: Build) -> Product:
        """Writes the ISO, or only its texts where nothing else has changed."""
        stack, cache, epoch = build.stack, build.cache, build.lock.source_date_epoch
        (stock,) = build.lock.part("medium")
        document = rendered(stack, build.lock)
        server = self._server(stock, build)
        layers = self.layers(stack, build.lock)
        if build.check:
            self.read_again(build, layers)
        if server.pool_source:
            layers = with_pool(layers, server.sha256, server.pool_source)
        images = _whole(build, layers) if stack.medium.source == "fsimage" else squashed(build, layers)
        boot = boot_files(layers, cache)
        medium = live_server.lay_out(stack, server, images, boot, document, build.lock.versions["kernel"], epoch)

        def write(output: Path) -> str:
            confirm(images, cache)
            if not self.base_iso and build.store.confirm([stock], build.mirrors, offline=build.offline):
                raise DamagedError(build.store.path(stock.sha256))
            return remaster.write(server.path, medium, stack.medium.volume_id, epoch, output)

        return self.product(build, layers, medium, write)

    def _server(self, stock: LockedFile, build: Build) -> live_server.LiveServer:
        if self.base_iso:
            return live_server.read(check(self.base_iso, stock), stock.sha256)
        build.store.fetch([stock], build.mirrors, offline=build.offline)
        build.store.confirm_sealed(stock, build.mirrors, offline=build.offline)
        return live_server.read(build.store.path(stock.sha256), stock.sha256)


def _whole(build: Build, layers: tuple[Layer, ...]) -> tuple[Squashfs, ...]:
    """Returns the squashfs files of a medium: one for the machine, one for the live session's top."""
    cache, level = build.cache, build.stack.medium.zstd_level
    pairs = make_layers(layers, cache, build.mirrors, lambda _: None, offline=build.offline)
    *_, machine, top = [layer for layer, _ in pairs]
    return (squash_whole(machine, cache, level), squash(top, cache, level))
