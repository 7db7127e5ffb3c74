"""What is run, in which order and for how long at most, and how each step ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).parents[2]
#: Seconds for everything; what does not fit any more is left out.
IN_ALL = 470.0

#: Runs a module as `python -m` does, with carried packages and this folder before all others. No child of it sees them:
#: PyTorch's Python has its own.
_MODULE = """\
import runpy, sys
sys.path[:0], module = json_paths, sys.argv[1]
del sys.argv[1]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True)
class Machine:
    """Where it is run: the Python that has PyTorch, the carried packages, and what programs see besides."""

    python: str
    site: Path | None
    environment: Mapping[str, str] = field(default_factory=dict)
    computes: bool = True

    def module(self, name: str, *arguments: str) -> tuple[str, ...]:
        """Returns the command that runs a module of Rigforge's."""
        paths = [str(PROJECT), *([str(self.site)] if self.site else [])]
        return (sys.executable, "-P", "-c", _MODULE.replace("json_paths", repr(paths)), name, *arguments)


@dataclass(frozen=True)
class Step:
    """One program. `out` is the file that gets its standard output, `codes` are the exit codes of a run to the end.

    Where one that is `optional` is not installed, nothing is missing.
    """

    name: str
    command: tuple[str, ...]
    seconds: float
    out: str
    codes: tuple[int, ...] = (0,)
    environment: Mapping[str, str] = field(default_factory=dict)
    optional: bool = False


@dataclass(frozen=True)
class Done:
    """How a step ended: its exit code, None for one that was not run or took too long."""

    name: str
    code: int | None
    seconds: float
    ended: bool
    how: str


@dataclass
class Run:
    """The steps so far; `results` is the folder for their output."""

    results: Path
    began: float = field(default_factory=time.monotonic)
    done: list[Done] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def do(self, step: Step) -> Done:
        """Runs a step for as long as it may take and as there is time for."""
        outcome = self._do(step, min(step.seconds, IN_ALL - self.seconds))
        self.done.append(outcome)
        return outcome

    def _do(self, step: Step, limit: float) -> Done:
        if limit <= 0:
            return Done(step.name, None, 0.0, False, "left out: no time was left")
        began = time.monotonic()
        with (self.results / step.out).open("wb") as out, (self.results / f"{step.name}.err").open("wb") as err:
            try:
                process = subprocess.Popen(
                    step.command,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    env={**os.environ, **step.environment},
                    cwd=PROJECT,
                    start_new_session=True,
                )
            except OSError as error:
                return Done(step.name, None, 0.0, step.optional, f"not started: {error.strerror}")
            try:
                code = process.wait(limit)
            except subprocess.TimeoutExpired:
                # First as Ctrl-C: the sweep then puts the power limit back to what it was.
                for ending in (signal.SIGINT, signal.SIGKILL):
                    os.killpg(process.pid, ending)
                    try:
                        process.wait(10)
                        break
                    except subprocess.TimeoutExpired:
                        continue
                return Done(step.name, None, time.monotonic() - began, False, f"cut off after {limit:.0f} s")
        return Done(step.name, code, time.monotonic() - began, code in step.codes, f"ended with {code}")


def steps(machine: Machine, results: Path, *, quick: bool) -> Iterator[Step]:
    """Yields the steps, whose pages go into `results`; `quick` takes seconds in place of minutes."""
    minutes, seconds = (0.05, 1) if quick else (2.0, 20)
    environment = {**machine.environment, "VIRTUAL_ENV": str(Path(machine.python).parent.parent)}
    python = ("--python", machine.python)
    codes = (0, 1, 2)
    yield Step("nvidia-smi", ("nvidia-smi", "-q"), 20, "nvidia-smi.txt", tuple(range(256)), optional=True)
    page = {name: ("--json", "--report", str(results / f"{name}.html")) for name in ("doctor", "burn-in", "tune")}
    yield _of(machine.module("rigforge.doctor", *page["doctor"]), "doctor", 40, codes, environment)
    explain = ("explain", "--this-machine", "--interpreter", machine.python, "--json")
    yield _of(machine.module("rigforge.cli", *explain), "explain", 40, (0, 1), environment)
    burn_in = ("burn-in", "--minutes", str(minutes), *page["burn-in"], *python)
    yield _of(machine.module("rigforge.doctor", *burn_in), "burn-in", minutes * 60 + 60, codes, environment)
    sweep = ("--gpu", "0", "--points", "5", "--seconds", str(seconds), "--yes", *page["tune"])
    yield _of(machine.module("rigforge.doctor", "tune", *sweep, *python), "tune", 5 * seconds + 60, codes, environment)
    yield _image_tests(machine, results / "expectations.json")


def _of(command: tuple[str, ...], name: str, seconds: float, codes: tuple[int, ...], env: Mapping[str, str]) -> Step:
    """Returns a step whose output is JSON, and whose page lies beside it."""
    return Step(name, command, seconds, f"{name}.json", codes, env)


def _image_tests(machine: Machine, expectations: Path) -> Step:
    """Returns the tests that compute on a GPU; where nothing computes they are only collected."""
    facts = {
        "stack": "bench",
        "image": "bench",
        "env": str(Path(machine.python).parent.parent),
        "versions": {"pytorch": "as it is there"},
        "gpu": True,
    }
    expectations.write_text(json.dumps(facts))
    options = ["-v", "-o", "addopts=", "-p", "no:cacheprovider", "--hosts=local://", f"--expectations={expectations}"]
    options += [] if machine.computes else ["--collect-only"]
    command = machine.module("pytest", "image_tests/test_gpu.py", *options)
    return Step("image-tests", command, 100, "image-tests.txt", (0, 1), machine.environment)
