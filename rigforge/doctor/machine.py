"""The machine that checks look at: files of the system, its programs, and NVIDIA's management library."""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rigforge.compat import interpreter, inventory
from rigforge.doctor.nvml import Nvml
from rigforge.machine import libraries
from rigforge.plain import line
from rigforge.rules.pci import is_nvidia_gpu

#: Housings that are carried about: portable to detachable (SMBIOS 3.7, 7.4.1).
_PORTABLE = {"8", "9", "10", "11", "14", "30", "31", "32"}

#: A device on the PCI bus, as sysfs calls it.
_ADDRESS = re.compile(r"[\da-f]{4,8}:[\da-f]{2}:[\da-f]{2}\.[\da-f]", re.ASCII)

#: Seconds; a program that takes longer than this to say how it is counts as one that says nothing.
PATIENCE = 10.0


@dataclass(frozen=True)
class CommandResult:
    """The end of a program. `output` is its standard output, `complaint` its standard error."""

    code: int
    output: str
    complaint: str


@dataclass(frozen=True)
class Card:
    """An NVIDIA GPU on the PCI bus, whether or not a driver sees it. `address` is like 0000:01:00.0."""

    address: str
    directory: Path

    def text(self, name: str) -> str:
        """Returns what sysfs says of the device, "" where it says nothing."""
        return _text(self.directory / name)

    @property
    def slot(self) -> Card:
        """The port that the card is plugged into, by the card's own address."""
        return Card(self.address, self.directory.resolve().parent)

    @property
    def transfers(self) -> float:
        """GT/s that the device can do, by sysfs's words ("16.0 GT/s PCIe"); 0 where there are none."""
        first = self.text("max_link_speed").partition(" ")[0][:8]
        return float(first) if first.isascii() and first.replace(".", "", 1).isdecimal() else 0.0

    @property
    def ports(self) -> tuple[str, ...]:
        """The addresses on the way to the card: the root port first, the card itself last."""
        return tuple(part for part in self.directory.resolve().parts if _ADDRESS.fullmatch(part))

    @property
    def driver(self) -> str:
        """The name of the driver that has the card, "" where none has or sysfs does not say."""
        try:
            return (self.directory / "driver").readlink().name
        except OSError:
            return ""


@dataclass
class AnswerCache:
    """Answers that the next look at a machine takes over, as long as nothing else changes: CUDA's."""

    cuda: Any = None


@dataclass(frozen=True)
class Machine:
    """A machine whose file system is at `root`, whose programs are found along `path`.

    `environment` is what the caller had, to look at; `program_environment` is what programs get: nothing of it where
    that is root. A machine that is looked at `at_rest` is left so: no service is woken for it and no container started.
    Who looks again and again hands on the `answers`.
    """

    nvml: Nvml
    root: Path = Path("/")
    path: str = interpreter.PATH
    environment: Mapping[str, str] = field(default_factory=lambda: outside_environment())
    program_environment: Mapping[str, str] = field(default_factory=lambda: environment_of_programs())
    at_rest: bool = False
    answers: AnswerCache = field(default_factory=AnswerCache)

    def text(self, path: str) -> str:
        """Returns a file's text without white space at its ends, "" where it cannot be read."""
        return _text(self.root / path)

    def has(self, program: str) -> bool:
        return shutil.which(program, path=self.path) is not None

    def ask(self, *argv: str, seconds: float = PATIENCE) -> CommandResult | None:
        """Runs a program and returns what it said; None where it is not installed or does not end in time."""
        program = shutil.which(argv[0], path=self.path)
        if not program:
            return None
        try:
            done = subprocess.run(
                [program, *argv[1:]],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds,
                cwd="/",
                env=self._programs,
                check=False,
            )
        except (OSError, ValueError, subprocess.TimeoutExpired):
            return None
        return CommandResult(done.returncode, done.stdout.strip(), done.stderr.strip())

    @property
    def _programs(self) -> dict[str, str]:
        """The environment of the programs that are run."""
        return {**self.program_environment, "PATH": self.path, "LC_ALL": "C.UTF-8"}

    def pour(self, *argv: str, into: Callable[[bytes], None], seconds: float = PATIENCE) -> int | None:
        """Runs a program and hands its output over in pieces; ends it when the time is over.

        Returns its exit code, 0 where the time was over in the middle of its output; None where it is not installed,
        or had told nothing by then.
        """
        program = shutil.which(argv[0], path=self.path)
        if not program or seconds <= 0:
            return None
        pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        try:
            # A session of its own, so that what it started itself ends with it.
            process = subprocess.Popen(
                [program, *argv[1:]], cwd="/", env=self._programs, start_new_session=True, **pipes
            )
        except (OSError, ValueError):
            return None
        late, over, any_output = time.monotonic() + seconds, False, False
        end = threading.Timer(seconds, _end, (process.pid,))
        end.start()
        with process.stdout as output:  # type: ignore[union-attr]
            with suppress(OSError):  # a larger pipe than root allows others
                fcntl.fcntl(output, fcntl.F_SETPIPE_SZ, 1 << 20)
            while not over and (piece := os.read(output.fileno(), 1 << 20)):
                any_output, over = True, time.monotonic() >= late
                into(piece)
            if over:
                _end(process.pid)
        code = process.wait()
        end.cancel()
        return code if time.monotonic() < late else (0 if any_output else None)

    @property
    def cards(self) -> tuple[Card, ...]:
        """NVIDIA's display controllers, in the order of the bus."""
        devices = (self.root / "sys/bus/pci/devices").glob("*")
        candidates = [Card(path.name, path) for path in sorted(devices)]
        return tuple(card for card in candidates if is_nvidia_gpu(card.text("vendor"), card.text("class")))

    @cached_property
    def loaded(self) -> inventory.Loaded | None:
        """The driver's kernel module that is loaded."""
        return inventory.loaded(self.root)

    @cached_property
    def libcuda(self) -> libraries.Library | None:
        """The driver's library that programs get."""
        return libraries.find(self.root)

    @property
    def user_space(self) -> str:
        """The version of the driver's libraries; "" where none is said, and for one that need not be the module's."""
        return self.libcuda.version if self.libcuda and not self.libcuda.forward else ""

    @property
    def kernel(self) -> str:
        return self.text("proc/sys/kernel/osrelease")

    @property
    def container(self) -> bool:
        """Whether this is a container, which has the kernel, the firmware and the services of another system."""
        return any((self.root / mark).exists() for mark in (".dockerenv", "run/.containerenv"))

    @property
    def ours(self) -> bool:
        """Whether Rigforge installed it, so that it is as its stack says; others are as they came."""
        return (self.root / "etc/rigforge").is_dir()

    @property
    def wsl(self) -> bool:
        """Whether this is the Windows Subsystem for Linux, whose driver, bus and firewall are Windows's."""
        return "microsoft" in self.kernel.lower()

    @property
    def portable(self) -> bool:
        """Whether this is a laptop: its card is soldered in, to as few lanes as its maker chose, or switched off."""
        return self.text("sys/class/dmi/id/chassis_type") in _PORTABLE

    @property
    def superuser(self) -> bool:
        return os.geteuid() == 0

    def described(self) -> dict[str, object]:
        """Returns what identifies the machine, for reports."""
        release = dict(row.partition("=")[::2] for row in self.text("etc/os-release").splitlines())
        return {
            "hostname": line(self.text("proc/sys/kernel/hostname") or platform.node()),
            "system": line(release.get("PRETTY_NAME", "").strip('"')),
            "kernel": line(self.kernel),
            "container": self.container,
            "driver": self.nvml.driver,
            "cuda": self.nvml.cuda,
            "gpus": [
                {"index": gpu.index, "name": gpu.name, "address": gpu.address, "memory_bytes": gpu.memory}
                for gpu in self.nvml.gpus
            ],
        }


def outside_environment() -> dict[str, str]:
    """Returns the environment as the caller had it.

    PyInstaller's loader changes where libraries are looked for and forgets the active virtual environment.
    """
    environment = dict(os.environ)
    if getattr(sys, "frozen", False):
        environment.pop("LD_LIBRARY_PATH", None)
        if before := environment.pop("LD_LIBRARY_PATH_ORIG", ""):
            environment["LD_LIBRARY_PATH"] = before
        started_with = dict(entry.partition("=")[::2] for entry in _text(Path("/proc/self/environ")).split("\0"))
        if active := started_with.get("VIRTUAL_ENV"):
            environment["VIRTUAL_ENV"] = active
    return environment


def environment_of_programs() -> dict[str, str]:
    """Returns what programs get: the caller's environment, but nothing of it where that is root."""
    return outside_environment() if os.geteuid() else interpreter.for_programs()


def _end(group: int) -> None:
    with suppress(OSError):
        os.killpg(group, signal.SIGKILL)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except (OSError, ValueError):  # a NUL in the name
        return ""
