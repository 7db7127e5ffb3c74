"""CUDA's own answer, which a child gets by the driver's interface: whether it starts, and what it sees."""

from __future__ import annotations

import os
import pwd
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rigforge.compat import interpreter
from rigforge.compat.interpreter import Person
from rigforge.doctor import driver_api, excerpt
from rigforge.doctor.machine import Machine
from rigforge.machine import libraries

#: Seconds until the child is killed, and for it to be gone: less than 5 in all. A card that hangs may keep it longer.
PATIENCE, GONE = 4.5, 0.3

#: Names a library that stands in for the driver's, for a root that is not the running system's.
STAND_IN = "MOCK_CUDA"

#: What would hide GPUs from the child, and is looked at by itself.
HIDING = ("CUDA_VISIBLE_DEVICES",)

#: GPUs have the numbers that the management library gives them.
_ORDER = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}

#: By these the packed program finds what it has unpacked already (PyInstaller, "Multiprocessing and subprocesses").
_UNPACKED = "_PYI_"


@dataclass(frozen=True)
class CudaAnswer:
    """The child's answer: a result for each step, "?" for the one in which it ended.

    `hung` and `died` (the signal or exit code) say how, where it did not end by itself; `user` is as whom it ran.
    """

    results: Mapping[str, str]
    user: str
    hung: bool = False
    died: str = ""

    @property
    def last(self) -> str:
        """The step that it began last."""
        return list(self.results)[-1] if self.results else "start"

    @property
    def devices(self) -> int | None:
        """The number of devices; None where that is nonsense."""
        text = self.results.get("devices", "")
        plausible = text.isascii() and text.isdecimal() and len(text) < 4 and int(text) <= driver_api.MOST
        return int(text) if plausible else None


def who(machine: Machine) -> Person | None:
    """Returns as whom CUDA is asked: the caller of sudo, else Jupyter's user, else nobody; None without being root."""
    if not machine.superuser:
        return None
    here = machine.root == Path("/")
    return interpreter.caller() or (_of_jupyter(machine.root) if here else None) or Person()


def home(machine: Machine, person: Person | None) -> str:
    """Returns the home of who computes, as a path of the machine; where nobody knows who, that of its only user."""
    if person is None:
        return machine.environment.get("HOME", "")
    if person.uid != interpreter.NOBODY:
        return person.home
    homes = [folder for folder in (machine.root / "home").glob("*") if folder.is_dir()]
    return f"/home/{homes[0].name}" if len(homes) == 1 else "" if homes else "/root"


def library(machine: Machine) -> str:
    """Returns what the child loads; "" where there is nothing that it could be asked through."""
    if machine.root != Path("/"):
        return os.environ.get(STAND_IN, "")
    in_path = machine.environment.get("LD_LIBRARY_PATH") and not machine.superuser
    return libraries.CUDA if machine.libcuda or in_path else ""


def ask(machine: Machine, file: str, person: Person | None) -> CudaAnswer:
    """Returns what a child says that loads a library as a person (None: as who runs this).

    GPUs that others compute on are left alone: a context would take memory that they may want.
    """
    packed = getattr(sys, "frozen", False)
    words = [sys.executable, *((driver_api.WORD,) if packed else ("-I", driver_api.__file__)), file, str(PATIENCE)]
    words.append(",".join(str(index) for index in used(machine)))
    environment = {name: value for name, value in machine.program_environment.items() if name not in HIDING} | _ORDER
    if packed:
        environment |= {name: value for name, value in os.environ.items() if name.startswith(_UNPACKED)}
    user = pwd_name(os.geteuid())
    if person:
        words += map(str, (person.uid, person.gid, *person.groups))
        environment["HOME"] = person.home
        user = pwd_name(person.uid)
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=environment,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return CudaAnswer({}, user, died=str(error))
    assert process.stdout
    with process.stdout as pipe:
        hung = not _ended(process)
        os.set_blocking(pipe.fileno(), False)
        output = b""
        with suppress(BlockingIOError):
            output = os.read(pipe.fileno(), 65536)
    lines = (line.partition(" ") for line in output.decode(errors="replace").splitlines())
    return CudaAnswer({step: result for step, _, result in lines}, user, hung, _death(process, hung))


def used(machine: Machine) -> tuple[int, ...]:
    """Returns the numbers of the GPUs that programs compute on."""
    return tuple(gpu.index for gpu in machine.nvml.gpus if gpu.programs)


def _ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GONE)
        return False
    return process.returncode != -signal.SIGALRM


def _death(process: subprocess.Popen[bytes], hung: bool) -> str:
    code = process.returncode
    if hung or not code:
        return ""
    with suppress(ValueError):
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return f"signal {-code}"


def pwd_name(uid: int) -> str:
    """Returns the name of a user, or the number of one without."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return str(uid)


def _of_jupyter(root: Path) -> Person | None:
    """Returns whose notebooks there are: User= of a unit of the system, else the first who may linger."""
    names = []
    for file in sorted(root.glob("etc/systemd/system/*jupyter*.service")):
        text = excerpt.of(root, str(file.relative_to(root)))
        names += re.findall(r"^User=([a-z_][\w.-]*)\s*$", text, re.MULTILINE)
    names += [file.name for file in sorted(root.glob("var/lib/systemd/linger/*"))]
    for name in names:
        with suppress(KeyError):
            if uid := pwd.getpwnam(name).pw_uid:
                return interpreter.person(uid)
    return None
