"""Stand-ins for a machine with two GPUs: tests/doctor's mock of NVML, and its Python that only speaks of computing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.gpu.steps import PROJECT, Machine
from tests.doctor import machines

SOURCES = PROJECT / "tests/doctor"


def machine(place: Path, site: Path | None) -> Machine:
    """Makes the stand-ins in `place`. Needs a C compiler."""
    (place / "bin").mkdir(parents=True)
    library = place / "libnvidia-ml.so.1"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, SOURCES / "nvml.c"], check=True)
    drawn = {"draw": 440_000}
    (place / "bin/mock").write_text(machines.answers(2, gpu0=drawn, gpu1=drawn))
    python = place / "bin/python3"
    python.write_text(f"#!{sys.executable}\n{(SOURCES / 'stand_in.py').read_text()}")
    python.chmod(0o755)
    environment = {"LD_LIBRARY_PATH": str(place), "MOCK_NVML": str(place / "bin/mock")}
    return Machine(str(python), site, environment, computes=False)
