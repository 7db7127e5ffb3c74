"""No alarm on machines in good health, rebuilt from what their owners showed in public: healthy/*.toml names where.

A file says what differs from the machine of machines.py: `machine` (cards, driver), `nvml` (lines of the mock),
`files`, `remove`, `programs`, `dmesg` (what the kernel's log has) and `torch` (what the environment's Python answers).
What a report does not show (main memory, a link, a limit of the card's kind) is as usual for such a machine.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.doctor import machines
from tests.doctor.machines import Examine, address, program, write

HEALTHY = sorted(Path(__file__).with_name("healthy").glob("*.toml"))


def build(root: Path, case: dict[str, Any]) -> str:
    """Builds the machine of a file, and returns what NVML says there."""
    of = case["machine"]
    driver = of.get("driver", machines.DRIVER)
    machines.machine(root, of["gpus"])
    for index in range(of["gpus"]):
        place = root / "sys/bus/pci/devices" / address(index)
        write(place / "device", f"{of['device']}\n")
        write(place / "class", f"{of['class']}\n")
    if of["gpus"]:
        kind = "UNIX Open Kernel Module for x86_64" if of["module"] == "open" else "UNIX x86_64 Kernel Module"
        write(root / "proc/driver/nvidia/version", f"NVRM version: NVIDIA {kind}  {driver}  Release Build\n")
        libraries = root / "usr/lib/x86_64-linux-gnu"
        for old in libraries.glob("libcuda*"):
            old.unlink()
        write(libraries / f"libcuda.so.{driver}", "")
        (libraries / "libcuda.so.1").symlink_to(f"libcuda.so.{driver}")
    for path in case.get("remove", ()):
        (root / path).unlink()
    for path, text in case.get("files", {}).items():
        write(root / path, text)
    write(root / "var/log/dmesg.shown", case.get("dmesg", ""))
    program(root, "dmesg", f"/bin/cat {root}/var/log/dmesg.shown")
    for name, script in case.get("programs", {}).items():
        program(root, name, script)
    if torch := case.get("torch"):
        packages = {"torch": torch["version"], **torch.get("packages", {})}
        told = json.dumps({"python": "3.12", "packages": packages, "cuda": torch["cuda"]})
        python = root / torch.get("python", "opt/rigforge/python/bin/python3")
        write(python, f"#!/bin/sh\n/bin/cat <<'X'\n{told}\nX\n", 0o755)
    told_by_nvml = machines.answers(of.get("nvml_gpus", of["gpus"])).replace(
        f"driver {machines.DRIVER}", f"driver {driver}"
    )
    changed = {line.split()[0] for line in case.get("nvml", ())}
    kept = [line for line in told_by_nvml.splitlines() if line.split()[0] not in changed]
    return "\n".join([*kept, *case.get("nvml", ())]) + "\n"


@pytest.mark.parametrize("file", HEALTHY, ids=lambda file: file.stem)
def test_a_machine_in_good_health_gets_no_alarm(examine: Examine, root: Path, file: Path) -> None:
    answer = examine(build(root, tomllib.loads(file.read_text())))
    alarms = [check for check in answer["checks"].values() if check["status"] in ("warning", "failed")]
    assert alarms == []


def test_they_are_of_every_kind_and_most_of_them_real() -> None:
    sources = [tomllib.loads(file.read_text())["source"] for file in HEALTHY]
    assert len(sources) >= 12
    assert sum(bool(source) for source in sources) >= 8
    assert {file.stem.partition("-")[0] for file in HEALTHY} >= {
        "desktop",
        "server",
        "laptop",
        "container",
        "wsl",
        "hgx",
    }
