"""Stacks, their locks, and the files that a lock names."""

from __future__ import annotations

import json as to_json
from pathlib import Path

from invoke.context import Context

from rigforge.cli import task
from rigforge.errors import RigforgeError, UsageError
from rigforge.paths import home
from rigforge.tasks.parameters import JSON, MIRROR, OFFLINE, STACK


@task()
def stacks(context: Context) -> None:
    """
    List the stacks there are, with what they are for.

    Example: invoke stacks
    """
    from rigforge.stack.load import load, names

    for name in names():
        print(f"{name:<14}  {load(name).description}")


@task(
    help={
        "stack": STACK,
        **MIRROR,
        "upgrade": "take the newest versions that the stack allows; without it a lock that still fits stays as it is",
        "force": "lock versions that cannot work together all the same, for this reason, which the lock keeps",
        "json": JSON,
    },
)
def lock(
    context: Context, stack: str = "", upgrade: bool = False, force: str = "", json: bool = False, mirror: str = ""
) -> None:
    """
    Resolve a stack to exact files, and write them down beside it.

    Example: invoke lock --stack debian-12 --upgrade
    """
    from rigforge import console
    from rigforge.lock import model, resolve
    from rigforge.options import the_mirrors, the_previous_lock, the_stack

    mirrors = the_mirrors(mirror)
    definition = the_stack(stack, mirrors)
    previous = the_previous_lock(definition)
    resolution = resolve.resolve(definition, mirrors, previous=previous, upgrade=upgrade, forced=force)
    path = definition.lock_path
    if resolution != previous:
        path = definition.new_lock_path
        model.write(resolution, path)
    size = sum(file.size for file in resolution.files)
    console.say(
        f"{len(resolution.files)} files, {size / 1e9:.2f} GB, {'as before' if resolution == previous else 'changed'}"
    )
    console.say("\n".join(f"  {name} {version}" for name, version in resolution.versions.items()))
    if resolution.decision:
        console.say(f"verdict: {resolution.decision.verdict}")
    if json:
        result = {"stack": definition.name, "lock": str(path), "changed": resolution != previous}
        print(to_json.dumps({**result, "files": len(resolution.files), "bytes": size, "versions": resolution.versions}))
    else:
        print(f"lock: {path}")


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
    from rigforge.lock.model import read
    from rigforge.release_notes.diff import compare
    from rigforge.release_notes.history import read_at
    from rigforge.release_notes.notes import notes
    from rigforge.release_notes.rebuilt import planned, rebuilt

    path = Path(new)
    if path.is_dir():
        raise UsageError(f"{new} is a folder", "name the lock in it")
    new_lock = read(path)
    old_lock = read(Path(old)) if Path(old).is_file() else read_at(old, path)
    difference = compare(old_lock, new_lock)
    try:
        anew = rebuilt(planned(old_lock, path.parent), planned(new_lock, path.parent))
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
        **OFFLINE,
    }
)
def vendor(
    context: Context, directory: str, stack: str = "", check: bool = False, offline: bool = False, mirror: str = ""
) -> None:
    """
    Copy everything that a stack's lock names into a folder, from which `--mirror FOLDER` builds without a network.

    Example: invoke vendor --stack debian-12 /media/disk/vendor
    """
    from rigforge.build_lock import exclusive
    from rigforge.options import the_lock, the_mirrors, the_stack
    from rigforge.stack.load import load
    from rigforge.store import vendor as vendoring
    from rigforge.store.store import Store

    folder = Path(directory)
    if check:
        stacks = [stack] if stack else vendoring.stacks(folder)
        problems = vendoring.check(the_lock(load(stack)), folder) if stack else vendoring.check_all(folder)
        if problems:
            raise vendoring.VendoredFilesError(folder, problems, stacks)
    else:
        mirrors = the_mirrors(mirror)
        definition = the_stack(stack, mirrors, offline=offline)
        with exclusive():
            vendoring.write(definition, the_lock(definition), Store(home() / "store"), mirrors, folder, offline=offline)
    print(f"vendor: {directory}")
