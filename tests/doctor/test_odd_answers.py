"""A machine that answers in a way nobody foresaw: that check says so, and every other one is as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rigforge.doctor.check import Topic
from rigforge.doctor.checks import SUBJECTS
from tests.doctor.machines import GIB, Examine, program, write

TOPICS = {value.id for subject in SUBJECTS for value in vars(subject).values() if isinstance(value, Topic)}

DEEP = "[" * 100_000

#: What programs say, with the checks that may speak of it.
SAID = [
    ("sshd", "exit 255", {"ssh"}),
    ("sshd", "printf '\\377\\0'; exit 1", {"ssh"}),
    ("smartctl", """echo '{"smart_status": null}'""", {"disk-health"}),
    ("smartctl", """echo '{"smart_status": {}, "nvme_smart_health_information_log": []}'""", {"disk-health"}),
    (
        "smartctl",
        """echo '{"smart_status": {}, "nvme_smart_health_information_log": {"percentage_used": "9"}}'""",
        {"disk-health"},
    ),
    ("smartctl", "echo '[]'", {"disk-health"}),
    ("smartctl", f"echo '{DEEP}'", {"disk-health"}),
    ("dmesg", f"echo 'NVRM: Xid (PCI:0): {'9' * 5000}'", {"gpu-xid"}),
    ("docker", "echo '[]'", {"container-runtime", "container-start"}),
    ("docker", """echo '{"Runtimes": 7}'""", {"container-runtime", "container-start"}),
    ("docker", f"echo '{DEEP}'", {"container-runtime", "container-start"}),
]

#: Where no driver is loaded, there is nothing to say of how programs reach it.
DRIVER = {"driver-module", "driver-user-space", "compatibility", "container-cdi", "cuda", "device-files", "nvidia-uvm"}

#: What files hold, as bytes.
HELD = [
    ("proc/meminfo", b"MemTotal: x kB", {"memory", "swap"}),
    ("proc/meminfo", b"MemTotal: " + b"9" * 5000 + b" kB", {"memory", "swap"}),
    ("proc/meminfo", b"\xff", {"memory", "swap"}),
    ("proc/driver/nvidia/version", b"\xff", DRIVER),
    ("proc/driver/nvidia/version", b"NVRM version: Kernel Module  999.. x", DRIVER),
    ("proc/net/tcp", b"head\nshort\n", {"jupyter"}),
    ("proc/net/tcp6", b"head\n 0: zz:22B8 0 0A\n", {"jupyter"}),
    ("sys/bus/pci/devices/0000:01:00.0/current_link_width", "²".encode(), {"gpu-link-width"}),
    ("sys/devices/pci0000:00/0000:00:01.0/max_link_speed", b"\xff", {"gpu-link-speed"}),
    ("sys/devices/pci0000:00/0000:00:01.0/max_link_width", "²".encode(), {"gpu-link-width"}),
    ("usr/local/cuda/version.json", b'{"cuda": 3}', {"compatibility"}),
    ("etc/os-release", b'PRETTY_NAME="\xff', set()),
    ("boot/vmlinuz-" + "9" * 200, b"", {"next-kernel"}),
    ("etc/cdi/nvidia.yaml/folder", b"", {"container-runtime", "container-cdi"}),
]


@pytest.mark.parametrize(("name", "script", "speak"), SAID)
def test_what_a_program_says(
    examine: Examine, healthy: Callable[[int], str], root: Path, name: str, script: str, speak: set[str]
) -> None:
    told = healthy(1)
    (root / "sys/block/nvme0n1").mkdir(parents=True)
    before = examine(told)["checks"]
    write(root / "answer", script)
    program(root, name, f". {root}/answer")
    _the_rest_is_as_before(before, examine(told)["checks"], speak)


@pytest.mark.parametrize(("file", "content", "speak"), HELD)
def test_what_a_file_holds(
    examine: Examine, healthy: Callable[[int], str], root: Path, file: str, content: bytes, speak: set[str]
) -> None:
    told = healthy(1)
    before = examine(told)["checks"]
    if (root / file).parent.is_file():
        (root / file).parent.unlink()
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_bytes(content)
    _the_rest_is_as_before(before, examine(told)["checks"], speak)


@pytest.mark.parametrize("odd", ["name \xff", "driver", "uuid", "gpus x", "cuda -1"])
def test_what_the_library_of_the_driver_says(examine: Examine, healthy: Callable[[int], str], odd: str) -> None:
    told = healthy(1) + f"0.{odd}\n{odd}\n"
    assert set(examine(told)["checks"]) == TOPICS


def test_a_driver_that_gives_no_answer_is_what_was_found(examine: Examine, healthy: Callable[[int], str]) -> None:
    found = examine(healthy(1) + "init hang\n")["checks"]["gpu-bus"]
    assert found["status"] == "failed"
    assert "the driver gives no answer in 4.5 s" in found["measured"]


def test_an_error_in_a_check_is_its_result() -> None:
    topic = Topic("memory", "why")
    found = topic.of(lambda: int("٣x"))  # type: ignore[arg-type,return-value]
    assert found.status == "n/a"
    assert found.measured.startswith("could not be looked at (ValueError: invalid literal")


def test_an_error_between_two_checks_leaves_no_topic_out(
    examine: Examine, healthy: Callable[[int], str], root: Path
) -> None:
    told = healthy(1)
    write(root / "bin/systemctl", "\0")
    (root / "bin/systemctl").chmod(0o755)
    write(root / "proc/meminfo", f"MemTotal: {GIB}\nMemAvailable")
    found = examine(told)["checks"]
    assert set(found) == TOPICS
    assert found["memory"]["status"] == "n/a"


def _the_rest_is_as_before(before: dict[str, object], after: dict[str, object], speak: set[str]) -> None:
    assert set(after) == TOPICS
    changed = {name for name in TOPICS if after[name] != before[name]}
    assert changed <= speak, json.dumps({name: after[name] for name in changed - speak})
