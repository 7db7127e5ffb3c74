"""A second build of the same lock, from nothing, under conditions that differ in all that must not matter."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import uv

from rigforge import namespace, process
from rigforge.attest.provenance import REVISION, revision
from rigforge.console import step
from rigforge.errors import RigforgeError
from rigforge.layers import perturbation
from rigforge.lock.model import Lock
from rigforge.paths import IMPORTS
from rigforge.process import Argument, run
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.model import Stack
from rigforge.store import vendor
from rigforge.store.store import Store

#: Each condition that is another than in the first build, in words.
CONDITIONS = (
    "from a vendored directory (invoke vendor), with an empty store and no layer kept from before",
    "in a network namespace without routes",
    "by another user (root and ordinary user change places), of another id",
    "in another path, on a machine of another name",
    "umask 0077, locale POSIX, time zone Pacific/Kiritimati",
    "a clock that is 400 days ahead (libfaketime)",
    "one processor",
    "directories that list their files in random order (disorderfs)",
)

#: The id of the user that root becomes: one that no system gives to anybody.
_USER = "54321"

_SCRIPT = Path(__file__).with_name("varied_build.sh")
_LIBRARY = "faketime/libfaketime.so.1"
_CLOCK = {
    "FAKETIME": "+400d",
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    # Programs that copy a file's time would else copy the shift into the file.
    "NO_FAKE_STAT": "1",
}


def build(tasks: Sequence[Sequence[str]], stack: Stack, lock: Lock, store: Store, directory: Path, log: Path) -> Path:
    """Runs tasks of Rigforge elsewhere and returns their results: the directory `out` of the empty `directory`.

    `tasks` are their names and arguments, in which `{mirror}` is a vendored directory with all that `lock` names (which
    `store` has), `{stack}` the stack's file in it and `{out}` the place of the results. What they print goes to `log`.

    Raises RigforgeError where a tool is missing or a build fails.
    """
    library = _faketime()
    ground = directory / "ground"
    place = ground / library.relative_to("/")
    place.parent.mkdir(parents=True)
    shutil.copy(library, place)
    for name in ("out", "tmp", "home"):
        (directory / name).mkdir()
    # uv is a program beside its package, which looks for it in the user's own as well.
    programs = directory / ".local" / "bin"
    programs.mkdir(parents=True)
    shutil.copy(uv.find_uv_bin(), programs)
    with step("vendoring"):
        vendored(stack, lock, store, directory / "vendor")
    environment = {
        **_CLOCK,
        REVISION: revision(),
        perturbation.VARIABLE: "/mnt/trial/ground",
        "RIGFORGE_KEEP": " ".join([*process.CLOCK, "PYTHONPATH", perturbation.VARIABLE]),
        "RIGFORGE_HOME": "/mnt/trial/home",
        "HOME": "/mnt/trial",
        "TMPDIR": "/mnt/trial/tmp",
        "LANG": "POSIX",
        "LC_ALL": "POSIX",
        "TZ": "Pacific/Kiritimati",
        "PYTHONPATH": "/mnt/checkout:/mnt/packages",
    }
    if namespace.may_mount():
        environment["RIGFORGE_USER"] = _USER
        # Not what is in the caller's store as well, which everybody may read.
        own = ["(", "-type", "d", "-o", "-links", "1", ")"]
        run(["find", directory, *own, "-exec", "chown", f"{_USER}:{_USER}", "{}", "+"])
    one_processor = ["taskset", "--cpu-list", str(min(os.sched_getaffinity(0)))]
    mirror = "/mnt/trial/vendor"
    values = {"mirror": mirror, "stack": f"{mirror}/{vendor.stack_file(stack)}", "out": "/mnt/trial/out"}
    for task in tasks:
        words = [word.format(**values) for word in task]
        with step(f"elsewhere: {words[0]}"):
            places: list[Argument] = [IMPORTS, directory, sys.base_prefix, sysconfig.get_path("purelib")]
            python = f"/mnt/python/bin/python3.{sys.version_info.minor}"
            command: list[Argument] = ["unshare", *namespace.mapping(), *namespace.ISOLATION]
            command += [_SCRIPT, *places, *one_processor]
            # The clock is shifted last, as libfaketime shares memory between a program and those that it starts.
            command += ["env", f"LD_PRELOAD={library}"]
            run([*command, python, "-m", "rigforge.cli", *words], env=environment, log=log)
    return directory / "out"


def vendored(stack: Stack, lock: Lock, store: Store, directory: Path) -> None:
    """Vendors into `directory`, with links to the store where both are on one disk.

    A directory that is to outlive the store has copies. This one goes with the trial, and vendoring checks what it
    finds, however it came there.
    """
    for file in lock.files:
        target = directory / file.mirror_path
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):
            target.hardlink_to(store.path(file.sha256))
    vendor.write(stack, lock, store, Mirrors({}), directory, offline=True)


def _faketime() -> Path:
    """Returns libfaketime's path. Raises RigforgeError where it or disorderfs is not installed."""
    library = next(Path("/usr/lib").glob(f"*/{_LIBRARY}"), None) or next(Path("/usr/lib").glob(_LIBRARY), None)
    if library is None or shutil.which("disorderfs") is None:
        raise RigforgeError(
            "faketime and disorderfs are not installed", "./bootstrap reproduce finds and installs what is missing"
        )
    return library
