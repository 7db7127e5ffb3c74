"""The one place for privileged work: a Python function run as root of a user namespace of its own.

The caller's user becomes root inside, with the subordinate ids of /etc/subuid beside it; there is no network, and
mounts and processes made inside end with it, whatever happens to it. For real root there is no user namespace
but the rest is the same, so that both make the same bytes. Root of a container may not mount, and so is a user here.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import pwd
import shutil
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rigforge.errors import RigforgeError
from rigforge.paths import IMPORTS
from rigforge.process import CommandFailed, minimal_environment, run

#: The bit of CAP_SYS_ADMIN in a mask of capabilities (linux/capability.h).
SYS_ADMIN = 21

ISOLATION = ("--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc")


def call(function: str, request: Mapping[str, Any], *, log: Path) -> None:
    """Calls `function` ("package.module:name") with `request` as root of a new namespace.

    `request` travels as JSON. What the function and its programs print goes to the file `log`.

    Raises RigforgeError as the function raised it, or with the end of the log where it failed otherwise,
    or with the cure where this machine does not let ordinary users make namespaces, and where a disk is full.
    """
    check()
    answer = log.with_suffix(".answer")
    answer.unlink(missing_ok=True)
    # Not from the current folder, whose files anybody may have written.
    interpreter = [sys.executable, "-P", "-m", "rigforge.namespace", function, str(answer)]
    path = os.pathsep.join(filter(None, (minimal_environment().get("PYTHONPATH"), str(IMPORTS))))
    try:
        run(
            ["unshare", *mapping(), *ISOLATION, *interpreter],
            stdin=json.dumps(request),
            log=log,
            env={"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": path},
        )
    except CommandFailed as failure:
        if os.strerror(errno.ENOSPC) in failure.output:
            raise RigforgeError(
                f"the disk of {log.parent} or of {tempfile.gettempdir()} is full",
                f"make room there, or name other folders in RIGFORGE_HOME and TMPDIR; the whole log: {log}",
            ) from None
        if answer.exists():
            raise RigforgeError(**json.loads(answer.read_text())) from None
        raise RigforgeError(failure.message, f"the whole log: {log}") from None
    finally:
        answer.unlink(missing_ok=True)


def remove_tree(path: Path) -> None:
    """Removes a tree whose files may belong to subordinate ids; nothing there is no error."""
    if not path.exists():
        return
    if may_mount():
        shutil.rmtree(path)
    else:
        check()
        run(["unshare", *mapping(), "rm", "-rf", "--", path])


def check() -> None:
    """Raises RigforgeError, with the package or sysctl that is missing, where namespaces cannot be made."""
    if may_mount():
        return
    user = pwd.getpwuid(os.geteuid()).pw_name
    if shutil.which("newuidmap") is None:
        raise RigforgeError("newuidmap is not installed", "sudo apt-get install uidmap")
    for file in (Path("/etc/subuid"), Path("/etc/subgid")):
        entries = [line.split(":")[0] for line in file.read_text().splitlines()] if file.exists() else []
        if user not in entries and str(os.geteuid()) not in entries:
            raise RigforgeError(
                f"{file} gives user {user} no subordinate ids",
                f"sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}",
            )
    # Where the namespace itself is refused, unshare with a map leaves a child behind that waits for ever (2.38).
    for options in (["--user"], [*mapping(), *ISOLATION]):
        probe = run(["unshare", *options, "true"], check=False)
        if probe.returncode:
            raise RigforgeError(
                f"this machine does not let user {user} make user namespaces: {probe.stderr.strip()}", _cure()
            )


def mapping() -> list[str]:
    """Returns the options of unshare(1) by which the caller becomes root inside, none where it is root already."""
    return [] if may_mount() else ["--map-auto", "--map-root-user"]


def may_mount() -> bool:
    """Tells whether this is root with the capability that mounts and namespaces take."""
    status = Path("/proc/self/status").read_text()
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return os.geteuid() == 0 and bool(int(effective, 16) >> SYS_ADMIN & 1)


def _cure() -> str:
    for name, permissive in (
        ("kernel.apparmor_restrict_unprivileged_userns", "0"),
        ("kernel.unprivileged_userns_clone", "1"),
    ):
        file = Path("/proc/sys", name.replace(".", "/"))
        if file.exists() and file.read_text().strip() != permissive:
            return f"sudo sysctl {name}={permissive}"
    file = Path("/proc/sys/user/max_user_namespaces")
    if file.exists() and file.read_text().strip() == "0":
        return "sudo sysctl user.max_user_namespaces=15000"
    return "build as root, or on a kernel with CONFIG_USER_NS; in a container: see docs/how-it-works.md"


def _serve() -> None:
    """Runs inside: calls the function that the command line names with the request on standard input."""
    function, answer = sys.argv[1], Path(sys.argv[2])
    module, _, name = function.partition(":")
    os.umask(0o022)
    # What the builder has open is no package's.
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            os.set_inheritable(int(entry.name), int(entry.name) <= 2)
    try:
        getattr(importlib.import_module(module), name)(json.load(sys.stdin))
    except RigforgeError as error:
        print(error.message, file=sys.stderr)
        answer.write_text(json.dumps({"message": error.message, "hint": error.hint}))
        sys.exit(1)


if __name__ == "__main__":
    _serve()
