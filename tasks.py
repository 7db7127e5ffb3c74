"""The tasks of `./bootstrap TASK`, `invoke TASK` and `rigforge TASK`: they parse, call the package and report.

Standard output carries results only; what is said on the way goes to standard error. The package is
imported inside the tasks, so that a listing need not wait for it.
"""

from __future__ import annotations

import json as to_json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from rigforge.cli import task
from rigforge.errors import RigforgeError, UsageError
from rigforge.state import PROJECT, home

if TYPE_CHECKING:
    from rigforge.verify.qemu import Firmware
    from rigforge.verify.report import ImageReport, Report

STACK = "stack to use: a name from `stacks`, or the path of a TOML file (default: the first whose archives answer)"
JSON = "print the result as JSON"
MIRROR = {"mirror": "folder that is looked into before any archive: DIR/debian/pool/…, DIR/pypi/NAME.whl"}
SITE = {
    "set": "site value as KEY=VALUE, e.g. hostname=gpu1, user=ada, ssh_key='ssh-ed25519 …', disk=/dev/nvme0n1; "
    "may be given several times",
    "site": "TOML file with site values (default: site.toml in the current folder, where there is one)",
}


@task(
    iterable=["set_"],
    help={
        "stack": STACK,
        **SITE,
        **MIRROR,
        "offline": "use only what earlier runs have downloaded",
        "out": "folder for the ISO (default: out)",
    },
)
def build_iso(
    context: Context,
    stack: str = "",
    set_: Sequence[str] | None = None,
    site: str = "",
    offline: bool = False,
    mirror: str = "",
    out: str = "",
) -> None:
    """
    Make the install ISO of a stack, and print where it is.

    Example: invoke build-iso --stack debian-12 --set hostname=gpu1 --set ssh_key="$(cat ~/.ssh/id_ed25519.pub)"
    """
    from rigforge import console
    from rigforge.options import the_iso, the_mirrors, the_stack

    mirrors = the_mirrors(mirror)
    iso = the_iso(the_stack(stack, mirrors, set_ or (), site, offline=offline), mirrors, offline=offline, out=out)
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
        "offline": "use only what earlier runs have downloaded",
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
    mirror: str = "",
    out: str = "",
) -> None:
    """
    Make the container images of a stack, of the same layers as its machines, and print where they are.

    Example: invoke build-images --stack debian-12 --image dev --load
    """
    from rigforge import console
    from rigforge.engine.compose import write_definitions
    from rigforge.engine.find import find
    from rigforge.engine.image import reference, repository
    from rigforge.engine.load import load as load_into
    from rigforge.engine.load import push as push_to
    from rigforge.options import the_images, the_mirrors, the_stack

    target = repository(push) if push else ""
    loader = find(engine) if load else None
    mirrors = the_mirrors(mirror)
    wanted = the_stack(stack, mirrors, offline=offline)
    images, layout = the_images(wanted, mirrors, image, compression, offline=offline, out=out)
    if dev := images.get("dev"):
        folder = layout.with_name(f"{wanted.name}-dev")
        write_definitions(
            reference(wanted.name, "dev"), folder, "toolkit" if "cuda" in dev.description.versions else "none"
        )
        console.say(f"For compose and for editors: {folder}/compose.yaml and {folder}/.devcontainer")
    for name, made in images.items():
        if loader:
            load_into(loader, made.image, layout, name, reference(wanted.name, name))
        if target:
            push_to(layout, name, f"{target}:{name}")
        print(f"image: {reference(wanted.name, name)} {made.image.digest} {layout}")


@task(
    help={
        "stack": STACK,
        **MIRROR,
        "upgrade": "take the newest versions that the stack allows; without it a lock that still fits stays as it is",
        "json": JSON,
    },
)
def lock(context: Context, stack: str = "", upgrade: bool = False, json: bool = False, mirror: str = "") -> None:
    """
    Resolve a stack to exact files, and write them down beside it.

    Example: invoke lock --stack debian-12 --upgrade
    """
    from rigforge import console
    from rigforge.lock import model, resolve
    from rigforge.options import the_mirrors, the_previous_lock, the_stack

    mirrors = the_mirrors(mirror)
    wanted = the_stack(stack, mirrors)
    previous = the_previous_lock(wanted)
    made = resolve.resolve(wanted, mirrors, previous=previous, upgrade=upgrade)
    if made != previous:
        model.write(made, wanted.lock_path)
    size = sum(file.size for file in made.files)
    console.say(f"{len(made.files)} files, {size / 1e9:.2f} GB, {'as before' if made == previous else 'changed'}")
    console.say("\n".join(f"  {name} {version}" for name, version in made.versions.items()))
    if json:
        result = {"stack": wanted.name, "lock": str(wanted.lock_path), "changed": made != previous}
        print(to_json.dumps({**result, "files": len(made.files), "bytes": size, "versions": made.versions}))
    else:
        print(f"lock: {wanted.lock_path}")


@task(
    help={
        "old": "lock file, or a git revision such as HEAD, which stands for NEW as it was there",
        "new": "lock file",
        "json": JSON,
    }
)
def diff(context: Context, old: str, new: str, json: bool = False) -> None:
    """
    Print what changed between two locks, as release notes in Markdown.

    Example: invoke diff HEAD stacks/debian-12.lock
    """
    from dataclasses import asdict

    from rigforge import console
    from rigforge.layers.rebuilt import planned, rebuilt
    from rigforge.lock.diff import compare
    from rigforge.lock.history import read_at
    from rigforge.lock.model import read
    from rigforge.lock.notes import notes

    path = Path(new)
    if path.is_dir():
        raise UsageError(f"{new} is a folder", "name the lock in it")
    after = read(path)
    before = read(Path(old)) if Path(old).is_file() else read_at(old, path)
    difference = compare(before, after)
    try:
        anew = rebuilt(planned(before, path.parent), planned(after, path.parent))
    except RigforgeError as error:
        console.warn(f"which layers are built anew cannot be told: {error.message}")
        anew = None
    if json:
        layers = None if anew is None else [asdict(layer) for layer in anew]
        print(to_json.dumps({**asdict(difference), "rebuilt": layers}, indent=2))
    else:
        print(notes(difference, anew), end="")


@task(
    help={
        "directory": "folder to write into; several stacks may share one",
        "stack": STACK + "; with --check: all that are in the folder",
        **MIRROR,
        "check": "write nothing, say which files are missing or altered",
        "offline": "use only what earlier runs have downloaded",
    }
)
def vendor(
    context: Context, directory: str, stack: str = "", check: bool = False, offline: bool = False, mirror: str = ""
) -> None:
    """
    Copy everything that a stack's lock names into a folder, from which `--mirror FOLDER` builds without a network.

    Example: invoke vendor --stack debian-12 /media/disk/vendor
    """
    from rigforge.exclusive import exclusive
    from rigforge.options import the_lock, the_mirrors, the_stack
    from rigforge.stack.load import load
    from rigforge.store import vendor as vendoring
    from rigforge.store.store import Store

    folder = Path(directory)
    if check:
        stacks = [stack] if stack else vendoring.stacks(folder)
        problems = vendoring.check(the_lock(load(stack)), folder) if stack else vendoring.check_all(folder)
        if problems:
            raise vendoring.DamagedError(folder, problems, stacks)
    else:
        mirrors = the_mirrors(mirror)
        wanted = the_stack(stack, mirrors, offline=offline)
        with exclusive():
            vendoring.write(wanted, the_lock(wanted), Store(home() / "store"), mirrors, folder, offline=offline)
    print(f"vendor: {directory}")


@task(
    iterable=["set_"],
    help={
        "stack": STACK,
        **SITE,
        **MIRROR,
        "iso": "ISO to test (default: the stack's, built first where that is needed)",
        "firmware": "bios, uefi, secureboot or all",
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
    out: str = "",
) -> None:
    """
    Boot an ISO in QEMU, let it install, and test the machine that comes out.

    Example: invoke verify-iso --stack smoke --firmware uefi
    """
    from rigforge.options import the_iso, the_lock, the_mirrors, the_stack
    from rigforge.verify import iso as verify
    from rigforge.verify.qemu import FIRMWARES

    firmwares = [name for name in FIRMWARES if firmware in (name, "all")]
    if not firmwares:
        raise UsageError(f"unknown firmware: {firmware}", f"it is one of: {', '.join(FIRMWARES)}, all")
    mirrors = the_mirrors(mirror)
    of_medium = verify.read_medium(Path(iso))["stack"] if iso else ""
    wanted = the_stack(stack or of_medium, mirrors, set_ or (), site)
    path = Path(iso) if iso else the_iso(wanted, mirrors)
    folder = Path(out or PROJECT / "out" / "verify")

    def attempt(firmware: Firmware) -> Report:
        return verify.verify_iso(path, wanted, the_lock(wanted), firmware, folder / f"{wanted.name}-{firmware}")

    _verify((partial(attempt, name) for name in firmwares), json)


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
    from rigforge.engine.find import find
    from rigforge.engine.image import reference
    from rigforge.engine.load import load
    from rigforge.options import the_images, the_lock, the_mirrors, the_stack
    from rigforge.store.store import Store
    from rigforge.verify.image import injection, verify_image

    mirrors = the_mirrors(mirror)
    docker = find("docker")
    wanted = the_stack(stack, mirrors)
    images, layout = the_images(wanted, mirrors, image, "zstd", out=out)
    with injection(docker, wanted, the_lock(wanted), mirrors, Store(home() / "store")) as injected:

        def attempt(name: str) -> ImageReport:
            load(docker, images[name].image, layout, name, reference(wanted.name, name))
            logs = layout.with_name(f"{wanted.name}-{name}-tests")
            return verify_image(reference(wanted.name, name), images[name].description, injected, logs)

        _verify((partial(attempt, name) for name in images), json)


@task(iterable=["set_"], help={"out": "file to write", "stack": STACK, **SITE})
def seed(context: Context, out: str, stack: str = "", set_: Sequence[str] | None = None, site: str = "") -> None:
    """
    Make a CIDATA volume: the answers for one machine, beside an ISO that serves many.

    Write it to a second stick, or attach it to the machine as a disk.

    Example: invoke seed gpu7.img --stack debian-12 --set hostname=gpu7
    """
    from rigforge.autoinstall.document import render
    from rigforge.autoinstall.seed_image import make_cidata
    from rigforge.options import the_mirrors, the_stack

    make_cidata(render(the_stack(stack, the_mirrors(""), set_ or (), site)), Path(out))
    print(f"seed: {out}")


@task(help={"file": "autoinstall document (YAML)"})
def validate(context: Context, file: str) -> None:
    """
    Check that an autoinstall document is one that the installer can carry out.

    Example: invoke validate my-autoinstall.yaml
    """
    from rigforge.target.document import DocumentError, parse

    try:
        parse(Path(file).read_text(encoding="utf-8"), file)
    except (OSError, UnicodeDecodeError) as error:
        raise RigforgeError(f"{file} cannot be read: {error}") from error
    except DocumentError as error:
        raise RigforgeError(error.message, error.hint) from error
    print(f"valid: {file}")


@task(
    help={
        "stack": "stack whose image to run (default: the first, in the order of preference, whose image is loaded)",
        "image": "base, runtime or dev",
        "engine": "docker or podman (default: the first of them that answers)",
        "port": "port of this machine, on the loopback address, that leads to Jupyter where that is the command",
        "print": "print the engine's command instead of running it",
    }
)
def run(
    context: Context,
    stack: str = "",
    image: str = "dev",
    engine: str = "",
    port: str = "8888",
    print_: bool = False,
) -> None:
    """
    Run a command in an image, with this machine's GPUs and the current folder as /workspace.

    The command comes after two dashes; without one it is the image's own, a shell.

    Example: invoke run -- python train.py --epochs 3
    """
    import os
    import shlex
    import sys

    from rigforge import console
    from rigforge.engine import command, find, gpus
    from rigforge.engine.image import loaded
    from rigforge.stack.choose import preference
    from rigforge.stack.load import load, names

    # Invoke has these words too, but joined by spaces (context.remainder).
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    number = command.the_port(port)
    chosen = find.find(engine)
    reference = loaded(chosen, [load(stack).name] if stack else dict.fromkeys((*preference(), *names())), image)
    hardware = gpus.look(chosen)
    access, missing, cure = gpus.choose(chosen, hardware)
    arguments = command.arguments(chosen, access, command.Caller.here(), reference, words, number)
    console.say(f"Image {reference} in {chosen}")
    if not hardware.gpu:
        console.say("This machine has no NVIDIA GPU: the container runs on the CPU")
    if missing:
        console.warn(f"no GPU in the container: {missing}. The cure: {cure}")
    if print_:
        print(shlex.join(arguments))
        return
    if command.is_jupyter(words):
        command.check_port(number)
        console.say(f"Port {number} of 127.0.0.1 is port {command.JUPYTER_PORT} of the container")
    os.execvp(arguments[0], arguments)


@task()
def stacks(context: Context) -> None:
    """
    List the stacks there are, with what they are for.

    Example: invoke stacks
    """
    from rigforge.stack.load import load, names

    for name in names():
        print(f"{name:<14}  {load(name).description}")


@task(help={"full": "build, install and test the whole debian-12 stack as well (over an hour)"})
def test(context: Context, full: bool = False) -> None:
    """
    Run the unit tests and linters, then build, install and test the small stack and its container image.

    Example: invoke test --full
    """
    _pytest("-n", "auto", "-m", "not build and not boot and not docker and not full", "tests")
    # Uncaptured, because minutes pass between two results.
    _pytest(
        "-s", "-v", "-m", "build or boot or docker or full" if full else "build or boot or docker", "tests/end_to_end"
    )


@task()
def lint(context: Context) -> None:
    """
    Run the linters of every language here.

    Example: invoke lint
    """
    _pytest("tests/test_lint.py")


@task(help={"upgrade": "take the newest versions that pyproject.toml allows"})
def requirements(context: Context, upgrade: bool = False) -> None:
    """
    Pin what pyproject.toml asks for, with hashes, in requirements.txt.

    Example: invoke requirements --upgrade
    """
    from rigforge.requirements import pin

    pin(upgrade=upgrade)
    print("requirements: requirements.txt")


@task(help={"all": "remove the state directory too: downloads, layers, reports of bugs"})
def clean(context: Context, all: bool = False) -> None:
    """
    Remove what was built; with --all also what was downloaded.

    Example: invoke clean --all
    """
    from rigforge.exclusive import exclusive
    from rigforge.namespace import remove_tree

    with exclusive():
        remove_tree(PROJECT / "out")
        if all:
            remove_tree(home())


def _verify(attempts: Iterable[Callable[[], Report | ImageReport]], json: bool) -> None:
    """Makes all attempts and prints what was tested; raises RigforgeError where a test failed."""
    from rigforge.verify.report import ImageTestsError

    reports, failures = [], []
    for attempt in attempts:
        try:
            reports.append(attempt())
        except ImageTestsError as failed:
            reports.append(failed.report)
            failures.append(failed)
    if json:
        print(to_json.dumps([to_json.loads(report.to_json()) for report in reports], indent=2))
    else:
        print(*(report.summary for report in reports), sep="\n")
    if failures:
        raise RigforgeError("\n".join(failed.message for failed in failures), failures[0].hint)


def _pytest(*arguments: str) -> None:
    """Runs tests in this process; what they print is the result."""
    import os

    import pytest

    os.chdir(PROJECT)
    code = pytest.main(list(arguments))
    if code:
        raise SystemExit(130 if code == pytest.ExitCode.INTERRUPTED else 1)
