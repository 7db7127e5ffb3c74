"""What proves that a build depends on nothing but its lock."""

from __future__ import annotations

import json as to_json
from pathlib import Path

from invoke.context import Context

from rigforge.cli import task
from rigforge.errors import RigforgeError
from rigforge.paths import PROJECT
from rigforge.tasks.parameters import JSON, MIRROR, OFFLINE, STACK


@task(
    help={
        "stack": STACK,
        **MIRROR,
        **OFFLINE,
        "record": "write the digests beside the lock, in stacks/STACK.digests",
        "out": "folder for the two results and what differs (default: out/reproduce)",
        "json": JSON,
    }
)
def reproduce(
    context: Context,
    stack: str = "",
    record: bool = False,
    offline: bool = False,
    json: bool = False,
    mirror: str = "",
    out: str = "",
) -> None:
    """
    Build a stack twice, the second time from nothing and under other conditions, and compare every byte.

    Example: invoke reproduce --stack smoke
    """
    from rigforge import console
    from rigforge.options import the_lock, the_mirrors, the_stack
    from rigforge.reproduce import contents
    from rigforge.reproduce import record as records
    from rigforge.reproduce.rebuild import SITE, compare

    mirrors = the_mirrors(mirror)
    definition = the_stack(stack, mirrors, site=str(SITE), offline=offline)
    file = records.path(definition.lock_path)
    folder = Path(out or PROJECT / "out" / "reproduce").absolute()
    comparison = compare(definition, the_lock(definition), mirrors, folder / definition.name, offline=offline)
    if json:
        print(to_json.dumps(comparison.table(), indent=2))
    else:
        for name, row in comparison.table().items():
            print(f"{'same' if row['same'] else 'DIFFERS'}  {row['first']}  {name}")
    if comparison.differing:
        raise RigforgeError(
            f"{len(comparison.differing)} artifacts differ, the first of them {comparison.differing[0]}",
            f"what differs: {comparison.reports}",
        )
    if record:
        records.write(file, records.recorded(comparison.first))
    elif file.exists() and (differences := contents.differing(records.read(file), records.recorded(comparison.first))):
        console.warn(f"not as {file} has it: {', '.join(differences)}")
