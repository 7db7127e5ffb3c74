"""Makes a root the whole world of a process: nothing else is mounted, and no privilege that could change that is left.

As a program, started by `command` and of the standard library alone: enters the root of its first argument, runs what
those after the second say, and ends what that leaves running. The second, unless empty, is where one more /proc is
mounted when the program asks for it (`ASK`), which it does before it runs anything of a package. Without pathlib, which
would be a third of what each program in a root waits for.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import warnings  # noqa: F401 (os.execvp imports it, and would take the root's)
from collections.abc import Mapping, Sequence

#: Of linux/capability.h what dpkg, apt and maintainer scripts use: they give files to others (CHOWN, FOWNER, FSETID,
#: SETFCAP), write where they may not (DAC_OVERRIDE), become others (SETGID, SETUID), end what is theirs (KILL) and go
#: into roots of their own (SYS_CHROOT). Without SYS_ADMIN nothing is mounted, without MKNOD no disk opened, without
#: DAC_READ_SEARCH no file found by its inode.
CAPABILITIES = (0, 1, 3, 4, 5, 6, 7, 18, 31)

#: In a shell of the program: asks for the second /proc, whose place is `$1/proc`, and waits for it.
ASK = 'kill -USR1 1; until mountpoint --quiet "$1/proc"; do sleep 0.02; done'

#: sys/mount.h, linux/prctl.h and linux/capability.h.
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC = 1, 2, 4, 8, 4096, 16384
MNT_DETACH = 2
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 24, 38, 47, 4
CAPABILITY_VERSION_3 = 0x20080522

#: Of x86-64 and arm64; glibc has no function for it.
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

_libc = ctypes.CDLL(None, use_errno=True)


def namespaces(environment: Mapping[str, str]) -> list[str]:
    """Returns what stands before a program that will call `enter`: mounts and processes of its own, which end with it,
    and no variable besides those of `environment`."""
    variables = [f"{name}={text}" for name, text in environment.items()]
    return ["env", "--ignore-environment", *variables, "unshare", "--mount", "--pid", "--fork", "--kill-child"]


def command(
    root: os.PathLike[str], argv: Sequence[str | os.PathLike[str]], environment: Mapping[str, str], proc: str = ""
) -> list[str]:
    """Returns the command that runs `argv` confined to `root`, by whoever may mount; `proc` is of the second /proc."""
    # Isolated, for neither the current folder nor a variable of the root's is to name what runs with privileges.
    program = [sys.executable, "-I", "-S", __file__, str(root), proc, *map(str, argv)]
    return [*namespaces(environment), *program]


def enter(root: str) -> None:
    """Confines this process, the first of its namespaces, to `root` for ever. Raises OSError."""
    _leave_the_rest(root)
    _drop_privileges()


def _leave_the_rest(root: str) -> None:
    # Something else than a mount point cannot be pivoted to, and what is mounted in the root comes along.
    _call(_libc.mount, root.encode(), b"/tmp", None, MS_BIND | MS_REC, None)
    machine_root = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    os.chdir("/tmp")
    _call(_libc.syscall, SYS_PIVOT_ROOT[os.uname().machine], b".", b".")
    # `/` is the root's now. The old one goes last: a user namespace makes no /proc where none is seen.
    _mount_proc("/proc")
    os.fchdir(machine_root)
    _call(_libc.umount2, b".", MNT_DETACH)
    os.close(machine_root)
    os.chdir("/")


def _mount_proc(place: str) -> None:
    # Read-only, for real root would reach the machine by what it sets there.
    _call(_libc.mount, b"proc", place.encode(), b"proc", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, None)


def _drop_privileges() -> None:
    """Leaves this process, and all that it starts, `CAPABILITIES` of those that it has."""
    file = os.open("/proc/sys/kernel/cap_last_cap", os.O_RDONLY)
    highest = int(os.read(file, 16))
    os.close(file)
    for capability in set(range(highest + 1)) - set(CAPABILITIES):
        _call(_libc.prctl, PR_CAPBSET_DROP, capability, 0, 0, 0)
    _call(_libc.prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    _call(_libc.prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    # Effective, permitted and inheritable, of the capabilities to 31 and then of the rest.
    sets = (ctypes.c_uint32 * 6)()
    _call(_libc.capget, header, sets)
    mask = sets[1] & sum(1 << capability for capability in CAPABILITIES)
    _call(_libc.capset, header, (ctypes.c_uint32 * 6)(mask, mask, 0, 0, 0, 0))


def _call(function: ctypes._NamedFuncPointer, *arguments: object) -> None:
    if function(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function.__name__}: {os.strerror(number)}")


def main() -> None:
    """Runs the program and ends with its code; the processes that it leaves end with this one, the first."""
    root, proc, *argv = sys.argv[1:]
    _leave_the_rest(root)
    waited_for = {signal.SIGUSR1, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, waited_for)
    child = os.fork()
    if child == 0:
        _drop_privileges()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, waited_for)
        # Without a terminal, into which it could type.
        os.setsid()
        try:
            os.execvp(argv[0], argv)
        except OSError as error:
            os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
            os._exit(127)
    while proc and not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        if signal.sigwait(waited_for) == signal.SIGUSR1:
            _mount_proc(proc)
            break
    _drop_privileges()
    while True:
        process, status = os.wait()
        if process == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
