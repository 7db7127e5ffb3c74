"""From a stack and its lock to an ISO or container images: fetch, build the missing layers, put them together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from rigforge import namespace, process, recheck
from rigforge.attest import sidecars
from rigforge.autoinstall.render import rendered
from rigforge.console import say, step
from rigforge.doctor.build import PROGRAM, place
from rigforge.errors import DamagedError, UsageError
from rigforge.images import container, description, iso, live_server, oci, remaster
from rigforge.images.base_iso import check as checked
from rigforge.images.container import Container
from rigforge.images.medium import lay_out
from rigforge.layers.build import Cache, Squashfs, build, confirm, missing, squash, squash_whole
from rigforge.layers.plan import Layer, plan, with_pool
from rigforge.lock.model import Lock
from rigforge.paths import home
from rigforge.records.file import LockedFile
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.model import Stack
from rigforge.stack.secrets import caution
from rigforge.store.seal import seal
from rigforge.store.store import Store

T = TypeVar("T")

#: Said of what is still there from an earlier build, by its seal.
UNCHANGED = "{}: unchanged, not read again (--check reads everything)"


def build_iso(
    stack: Stack,
    lock: Lock,
    mirrors: Mirrors,
    *,
    base_iso: Path | None = None,
    offline: bool = False,
    check: bool = False,
    out: Path,
) -> Path:
    """Makes the ISO of a stack in the directory `out` and returns its path; what is there already is used again.

    With `check` all of that is read, and what is damaged made anew. `base_iso` is the distribution's ISO where the
    user has it already. Raises RigforgeError; what was complete before the error is kept for the next run.
    """
    base = next(iter(lock.part("medium")), None)
    kernel = lock.versions["kernel"]
    if base_iso and not base:
        raise UsageError(f"stack {stack.name} is not made from an ISO", "leave --base-iso out")
    if stack.medium.source == "fsimage" and not base:
        raise UsageError(f"stack {stack.name}: medium.source is for Canonical's installer", "leave it out")
    text = rendered(stack, lock)
    cache = Cache(home())
    store = Store(cache.directory / "store")
    server = _live_server(base, base_iso, store, mirrors, offline=offline) if base else None
    layers = plan(stack, lock)
    output = out / f"rigforge-{stack.name}.iso"
    if check:
        recheck.read_again(layers, cache, mirrors, offline=offline)
        if output.exists() and not recheck.is_whole(output):
            Stamp.forget(output)
    if server and server.pool_source:
        layers = with_pool(layers, server.sha256, server.pool_source)
    images = _images(stack, layers, cache, mirrors, offline=offline)
    boot = cache.rootfs(next(layer for layer in layers if layer.name == "boot")) / "medium"
    epoch = lock.source_date_epoch
    write: Callable[[str, int, Path], str | None]
    if server:
        medium = live_server.lay_out(stack, server, images, boot, text, kernel, epoch)
        write = partial(remaster.write, server.path, medium)
    else:
        medium = lay_out(stack, kernel, images, boot, text, epoch)
        write = partial(iso.write, medium, boot)
    made = Stamp.of(output)
    changed, digest = made != Stamp(medium.id, medium.layout), None
    if changed:
        with step(f"writing {output.name}") as elapsed:
            if made and made.layout == medium.layout:
                iso.rewrite(output, medium)
            else:
                confirm(images, cache)
                if base and not base_iso and store.confirm([base], mirrors, offline=offline):
                    raise DamagedError(store.path(base.sha256))
                digest = write(stack.medium.volume_id, epoch, output)
            Stamp(medium.id, medium.layout, round(elapsed(), 1)).put(output)
        if stack.secrets:
            say(caution(output.name, stack.secrets))
    elif not check:
        say(UNCHANGED.format(output.name))
    if changed or not sidecars.described(output, lock):
        sidecars.describe_iso(output, stack, lock, layers, cache, digest)
    return output


def _images(
    stack: Stack, layers: Sequence[Layer], cache: Cache, mirrors: Mirrors, *, offline: bool
) -> tuple[Squashfs, ...]:
    """Returns the squashfs files of a medium, bottom first: one for each layer, or one for the machine and its top."""
    level = stack.medium.zstd_level
    if stack.medium.source == "fsimage":
        *_, machine, top = [layer for layer, _ in make_layers(layers, cache, mirrors, lambda _: None, offline=offline)]
        return (squash_whole(machine, cache, level), squash(top, cache, level))
    squashed = partial(squash, cache=cache, level=level)
    return tuple(image for _, image in make_layers(layers, cache, mirrors, squashed, offline=offline))


def _live_server(
    base: LockedFile, given: Path | None, store: Store, mirrors: Mirrors, *, offline: bool
) -> live_server.LiveServer:
    if given:
        return live_server.read(checked(given, base), base.sha256)
    store.fetch([base], mirrors, offline=offline)
    store.confirm_sealed(base, mirrors, offline=offline)
    return live_server.read(store.path(base.sha256), base.sha256)


def build_images(
    stack: Stack,
    lock: Lock,
    mirrors: Mirrors,
    *,
    image: str = "",
    compression: str = "zstd",
    offline: bool = False,
    check: bool = False,
    out: Path,
) -> dict[str, Container]:
    """Makes the container images of a stack, or the one named `image`, in the OCI layout `out`; returns them by name.

    They are made of the layers that a machine of the stack is made of. `check` is as in `build_iso`.
    Raises RigforgeError; what was complete before the error is kept for the next run.
    """
    layers = plan(stack, lock)
    names = [name for name in description.offered(layers) if image in ("", name)]
    if not names:
        raise UsageError(
            f"stack {stack.name} has no image {image!r}", f"it has: {', '.join(description.offered(layers))}"
        )
    cache = Cache(home())
    if check:
        recheck.read_again(description.needed(layers, names), cache, mirrors, offline=offline)
        recheck.clear_damaged(out)
    packed = partial(container.pack, cache=cache, compression=compression)
    parts = make_layers(description.needed(layers, names), cache, mirrors, packed, offline=offline)
    doctor = next((container.pack_doctor(one, cache, compression) for one in layers if one.name == "doctor"), None)
    made = {}
    for name in names:
        own = [(layer, blob) for layer, blob in parts if layer.name in description.IMAGES[name]]
        made[name] = container.put_together(stack, lock, name, own, doctor, cache, compression)
    index = out / "index.json"
    before = index.read_bytes() if index.exists() else b""
    oci.write(out, {name: one.image for name, one in made.items()})
    if index.read_bytes() == before and not check:
        say(UNCHANGED.format(out.name))
    if index.read_bytes() != before or not sidecars.described(out, lock):
        digests = {name: one.image.digest for name, one in made.items()}
        sidecars.describe_images(out, digests, stack, lock, layers, cache)
    return made


def build_doctor(stack: Stack, lock: Lock, mirrors: Mirrors, folder: Path) -> Path:
    """Returns rigforge-doctor in `folder`, as the stack's machines and images have it. Raises RigforgeError."""
    layers = [layer for layer in plan(stack, lock) if layer.name in ("base", "doctor")]
    cache = Cache(home())
    make_layers(layers, cache, mirrors, lambda layer: None, offline=False)
    return place(cache.rootfs(layers[-1]) / PROGRAM, folder)


def make_layers(
    layers: Sequence[Layer], cache: Cache, mirrors: Mirrors, finish: Callable[[Layer], T], *, offline: bool
) -> list[tuple[Layer, T]]:
    """Builds what is missing of `layers` and returns those that are shipped, bottom first, with what `finish` made.

    A layer is finished (compressed) while the next one is built.
    """
    store = Store(cache.directory / "store")
    to_build = missing(layers, cache)
    if to_build:
        namespace.check()  # before gigabytes are fetched
        store.fetch([file for layer in to_build for file in layer.files], mirrors, offline=offline)
    finished: list[tuple[Layer, Future[T]]] = []
    with ThreadPoolExecutor(max_workers=1) as compressor:
        try:
            for layer in layers:
                if layer in to_build:
                    store.confirm(layer.files, mirrors, offline=offline)
                    build(layer, store, cache)
                if layer.shipped:
                    finished.append((layer, compressor.submit(finish, layer)))
            return [(layer, future.result()) for layer, future in finished]
        except BaseException:
            compressor.shutdown(wait=False, cancel_futures=True)
            process.end_all()
            raise


@dataclass(frozen=True)
class Stamp:
    """What an ISO was made of: the id and the layout of its medium; kept in a hidden file beside it.

    `seconds` is how long the writing took, None where nobody kept that.
    """

    id: str
    layout: str
    seconds: float | None = field(default=None, compare=False)

    @classmethod
    def of(cls, output: Path) -> Stamp | None:
        """Returns the stamp of an ISO, or None where there is none or the ISO is not as it was left."""
        file = _stamp_file(output)
        if not (output.exists() and file.exists()):
            return None
        identity, layout, *state = file.read_text().split()
        seconds = float(state[4]) if len(state) > 4 else None
        return cls(identity, layout, seconds) if state[:4] == seal(output).split() else None

    @staticmethod
    def forget(output: Path) -> None:
        """Has the next build write the ISO anew."""
        _stamp_file(output).unlink(missing_ok=True)

    def put(self, output: Path) -> None:
        """Stamps a finished ISO."""
        seconds = [] if self.seconds is None else [str(self.seconds)]
        _stamp_file(output).write_text(" ".join([self.id, self.layout, seal(output), *seconds]))


def _stamp_file(output: Path) -> Path:
    return output.with_name(f".{output.name}.made")
