"""What tests the ISO and the container images."""

from __future__ import annotations

import json as to_json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from rigforge.cli import task
from rigforge.errors import RigforgeError, UsageError
from rigforge.paths import PROJECT, home
from rigforge.tasks.parameters import JSON, MIRROR, SITE, STACK

if TYPE_CHECKING:
    from rigforge.artifacts.iso import Firmware
    from rigforge.verify.report import ImageReport, MediumReport, Report


@task(
    iterable=["set_"],
    help={
        "stack": STACK,
        **SITE,
        **MIRROR,
        "iso": "ISO to test (default: the stack's, built first where that is needed)",
        "firmware": "bios, uefi, secureboot or all; none: an ISO made from Canonical's is looked at and not started",
        "base-iso": "Canonical's ISO that it was made from, to compare with (default: the one that was downloaded)",
        "out": "folder for the tested disks and the logs (default: out/verify)",
        "json": JSON,
    },
)
def verify_iso(
    context: Context,
    stack: str = "",
    set_: Sequence[str] | None = None,
    site: str = "",
    iso: str = "",
    firmware: str = "all",
    json: bool = False,
    mirror: str = "",
    base_iso: str = "",
    out: str = "",
) -> None:
    """
    Boot an ISO in QEMU, let it install, and test the machine that comes out.

    An ISO made from Canonical's is compared with it first, and its layers and document are looked at.

    Example: invoke verify-iso --stack smoke --firmware uefi
    """
    from rigforge import extras
    from rigforge.artifacts import install_iso
    from rigforge.artifacts.iso import FIRMWARES
    from rigforge.images.base_iso import check
    from rigforge.lock.missing import lock_of
    from rigforge.options import the_artifact, the_lock, the_mirrors, the_stack
    from rigforge.store.store import Store
    from rigforge.verify import iso as verify
    from rigforge.verify import live_server

    firmwares = [name for name in FIRMWARES if firmware in (name, "all")]
    if not firmwares and firmware != "none":
        raise UsageError(f"unknown firmware: {firmware}", f"it is one of: {', '.join(FIRMWARES)}, all, none")
    mirrors = the_mirrors(mirror)
    of_medium = verify.read_medium(Path(iso))["stack"] if iso else ""
    if firmwares:
        extras.need("verify")
    definition = the_stack(stack or of_medium, mirrors, set_ or (), site)
    # An ISO that is there was made of a lock; today's archives would give another.
    lock = the_lock(definition) if iso else lock_of(definition, mirrors)
    artifact = install_iso(lock, Path(base_iso) if base_iso else None)
    path = Path(iso) if iso else the_artifact(artifact, definition, lock, mirrors).path
    about = verify.read_medium(path)
    base = lock.base_iso
    if firmware == "none" and not base:
        raise UsageError(f"there is nothing to do for {path} without starting it", "leave --firmware out")
    folder = Path(out or PROJECT / "out" / "verify")

    def attempt(firmware: Firmware) -> Report:
        return verify.verify_iso(path, definition, lock, firmware, folder / f"{definition.name}-{firmware}")

    attempts: list[Callable[[], Report | MediumReport]] = [partial(attempt, name) for name in firmwares]
    if base:
        original = Store(home() / "store").path(base.sha256)
        stock = check(Path(base_iso), base) if base_iso else original if original.exists() else None
        attempts.insert(0, partial(live_server.examine, path, about, stock, folder))
    _verify(attempts, json)


@task(
    help={
        "stack": STACK,
        **MIRROR,
        "image": "base, runtime or dev (default: all that the stack has)",
        "out": "folder for the OCI layouts and the logs (default: out/images)",
        "json": JSON,
    },
)
def verify_images(
    context: Context, stack: str = "", image: str = "", json: bool = False, mirror: str = "", out: str = ""
) -> None:
    """
    Load the container images into Docker, and test them with this machine's GPUs or the files of the locked driver.

    Example: invoke verify-images --stack debian-12 --image dev
    """
    from rigforge import extras
    from rigforge.artifacts.oci_images import OciImages
    from rigforge.engine.find import find
    from rigforge.engine.image import reference
    from rigforge.engine.load import load
    from rigforge.lock.missing import lock_of
    from rigforge.options import the_artifact, the_mirrors, the_stack
    from rigforge.store.store import Store
    from rigforge.verify.image import injection, verify_image

    extras.need("verify")
    mirrors = the_mirrors(mirror)
    docker = find("docker")
    definition = the_stack(stack, mirrors)
    lock = lock_of(definition, mirrors)
    layout = the_artifact(OciImages(image), definition, lock, mirrors, out=out)
    with injection(docker, definition, lock, mirrors, Store(home() / "store")) as injected:

        def attempt(name: str) -> ImageReport:
            load(docker, layout.images[name].image, layout.path, name, reference(definition.name, name))
            logs = layout.path.with_name(f"{definition.name}-{name}-tests")
            return verify_image(reference(definition.name, name), layout.images[name].description, lock, injected, logs)

        _verify((partial(attempt, name) for name in layout.images), json)


def _verify(attempts: Iterable[Callable[[], Report | ImageReport | MediumReport]], json: bool) -> None:
    """Makes all attempts and prints what was tested; raises RigforgeError where a test failed."""
    from rigforge.verify.report import ImageTestsError

    reports, failures = [], []
    for attempt in attempts:
        try:
            reports.append(attempt())
        except ImageTestsError as failure:
            reports.append(failure.report)
            failures.append(failure)
    if json:
        print(to_json.dumps([to_json.loads(report.to_json()) for report in reports], indent=2))
    else:
        print(*(report.summary for report in reports), sep="\n")
    if failures:
        raise RigforgeError("\n".join(failure.message for failure in failures), failures[0].hint)
