from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import machines
import pytest
from machines import Examine

#: Runs the program on another root, whose disk is half empty; the mock is the libnvidia-ml.so.1 that the loader finds.
_PROGRAM = """
import json, os, sys
from pathlib import Path
from rigforge.doctor import nvml
from rigforge.doctor.check import verdict
from rigforge.doctor.checks import every
from rigforge.doctor.machine import Machine
root, environment = Path(sys.argv[1]), json.loads(sys.argv[2])
os.statvfs = lambda folder: os.statvfs_result((4096, 4096, 2**27, 2**26, 2**26, 0, 0, 0, 0, 255))
machine = Machine(nvml.read(), root, f"{root}/bin", environment)
checks = every(machine)
print(json.dumps({"verdict": verdict(checks), "machine": machine.described(), "checks": [vars(c) for c in checks]}))
"""

#: Runs a subcommand on another root.
_SUBCOMMAND = """
import os, sys
from pathlib import Path
from rigforge.doctor import nvml
from rigforge.doctor.__main__ import SUBCOMMANDS
from rigforge.doctor.machine import Machine
from rigforge.errors import RigforgeError
root = Path(sys.argv[1])
try:
    machine = Machine(nvml.read(), root, f"{root}/bin", program_environment=dict(os.environ))
    sys.exit(SUBCOMMANDS[sys.argv[2]](sys.argv[3:], machine))
except RigforgeError as error:
    print(f"{error.message}; {error.hint}", file=sys.stderr)
    sys.exit(2)
"""


@pytest.fixture(scope="session")
def mock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with the mock library."""
    folder = tmp_path_factory.mktemp("nvml")
    source = Path(__file__).with_name("nvml.c")
    command = ["cc", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o", folder / "libnvidia-ml.so.1", source]
    subprocess.run(command, check=True)
    return folder


@pytest.fixture(scope="session")
def fork_server(mock: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that runs programs, with the mock library: fork_server.py says how it is asked."""
    command = [sys.executable, "-c", Path(__file__).with_name("fork_server.py").read_text()]
    seen = {**os.environ, "LD_LIBRARY_PATH": str(mock)}
    with subprocess.Popen(command, env=seen, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        yield server
        server.communicate()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def examine(fork_server: subprocess.Popen[str], mock: Path, root: Path, tmp_path: Path) -> Examine:
    """Examines the machine at `root` and returns the answer; its checks are by id."""

    def run(told: str, **environment: str) -> dict[str, Any]:
        (tmp_path / "mock").write_text(told)
        output = tmp_path / "answer.json"
        program = {
            "text": _PROGRAM,
            "arguments": [str(root), json.dumps(environment)],
            "environment": {**os.environ, "LD_LIBRARY_PATH": str(mock), "MOCK_NVML": str(tmp_path / "mock")},
            "folder": str(Path.cwd()),
            "output": str(output),
        }
        assert fork_server.stdin and fork_server.stdout
        print(json.dumps(program), file=fork_server.stdin, flush=True)
        assert fork_server.stdout.readline() == "0\n"
        answer = json.loads(output.read_text())
        return {**answer, "checks": {check["id"]: check for check in answer["checks"]}}

    return run


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """A Python that says it has PyTorch."""
    source = Path(__file__).with_name("stand_in.py").read_text()
    machines.write(tmp_path / "python", f"#!{sys.executable}\n{source}", 0o755)
    return tmp_path / "python"


@pytest.fixture
def start(mock: Path, root: Path, tmp_path: Path, python: Path) -> machines.Start:
    """Starts a subcommand on the machine at `root`; `faults` has what goes wrong with the work, by UUID."""

    def run(told: str, *arguments: str, faults: dict[str, str] | None = None) -> subprocess.Popen[str]:
        (tmp_path / "mock").write_text(told)
        environment = {
            **os.environ,
            "LD_LIBRARY_PATH": str(mock),
            "MOCK_NVML": str(tmp_path / "mock"),
            "STAND_IN": json.dumps(faults or {}),
        }
        command = [sys.executable, "-c", _SUBCOMMAND, root, *arguments, "--python", python]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([str(word) for word in command], text=True, env=environment, **pipes)

    return run


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[], list[str]]:
    """What was set in the driver, in its order, as `INDEX.NAME VALUE`."""
    file = tmp_path / "mock.set"
    return lambda: file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def healthy(root: Path) -> Callable[[int], str]:
    """Builds a healthy machine and returns what NVML says there."""

    def build(gpus: int) -> str:
        machines.machine(root, gpus)
        return machines.answers(gpus)

    return build
