"""Cards that are remembered: what is said when one is gone, exchanged or new, and what is not remembered."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import machines
import pytest
from machines import Examine, write

from rigforge.doctor import card_inventory, record_cards
from rigforge.doctor.machine import Machine
from rigforge.doctor.nvml import Nvml, NvmlGpu
from rigforge.errors import RigforgeError

MEMORY = card_inventory.FILE


def gpus(*numbers: int) -> Nvml:
    """What the driver says of cards, by their number; each is in the slot of its number."""
    told = (NvmlGpu(number, "RTX 4090", machines.address(number), machines.uuid(number)) for number in numbers)
    return Nvml(gpus=tuple(told))


@pytest.fixture
def rig(root: Path) -> Path:
    """A machine with two cards, which it remembers."""
    machines.machine(root, 2)
    assert record_cards.main(["--first"], Machine(gpus(0, 1), root)) == 0
    return root


def take_out(root: Path, index: int) -> None:
    (root / "sys/bus/pci/devices" / machines.address(index)).unlink()


def said(examine: Examine, told: str) -> tuple[str, str, str]:
    found = examine(told)["checks"]["gpu-cards"]
    return found["status"], found["measured"], found["fix"]


def test_all_cards_of_the_first_start_are_there(rig: Path, examine: Examine) -> None:
    status, measured, fix = said(examine, machines.answers(2))
    assert (status, fix) == ("ok", "")
    assert "2 on the bus, all that were there on 2" in measured


@pytest.mark.parametrize("gone", [(1,), (0, 1)], ids=["one of two", "the last one"])
def test_a_card_that_is_gone_is_a_failure_with_an_empty_log(rig: Path, examine: Examine, gone: tuple[int, ...]) -> None:
    for index in gone:
        take_out(rig, index)
    status, measured, fix = said(examine, machines.answers(2 - len(gone)))
    assert status == "failed"
    for index in gone:
        assert machines.address(index) in measured
        assert machines.uuid(index) in measured
    assert fix.endswith("if it was taken out: sudo rigforge-doctor remember")


def test_a_machine_without_a_card_remembers_nothing(root: Path, examine: Examine) -> None:
    machines.machine(root, 0)
    assert record_cards.main(["--first"], Machine(Nvml(), root)) == 0
    assert not (root / MEMORY).exists()
    with pytest.raises(RigforgeError, match="none is never remembered"):
        record_cards.main([], Machine(Nvml(), root))
    assert said(examine, machines.answers(0))[0] == "n/a"


def test_the_first_start_is_the_one_that_counts(rig: Path) -> None:
    before = (rig / MEMORY).read_text()
    take_out(rig, 1)
    assert record_cards.main(["--first"], Machine(gpus(0), rig)) == 0
    assert (rig / MEMORY).read_text() == before


def test_a_first_start_without_the_driver_learns_the_uuids_later(root: Path) -> None:
    machines.machine(root, 2)
    for nvml in (Nvml(), gpus(0, 1)):
        record_cards.main(["--first"], Machine(nvml, root))
    cards = json.loads((root / MEMORY).read_text())["cards"]
    assert [card["uuid"] for card in cards] == [machines.uuid(0), machines.uuid(1)]


def test_a_card_in_the_place_of_another_is_said_until_it_is_accepted(
    rig: Path, examine: Examine, capsys: pytest.CaptureFixture[str]
) -> None:
    told = machines.answers(2, gpu1={"uuid": machines.uuid(7)})
    status, measured, fix = said(examine, told)
    assert (status, fix) == ("warning", "sudo rigforge-doctor remember, if you put it there")
    assert machines.uuid(1) in measured and machines.uuid(7) in measured
    exchanged = NvmlGpu(1, "RTX 4090", machines.address(1), machines.uuid(7))
    record_cards.main([], Machine(Nvml(gpus=(*gpus(0).gpus, exchanged)), rig))
    assert f"{machines.uuid(7)}, ×16, new" in capsys.readouterr().out
    assert said(examine, told)[0] == "ok"


def test_a_card_more_is_said(rig: Path, examine: Examine) -> None:
    machines.card(rig, 2)
    status, measured, _ = said(examine, machines.answers(3))
    assert status == "warning"
    assert f"{machines.address(2)} ({machines.uuid(2)}) is new" in measured


def test_a_card_in_another_slot_is_the_same_card(rig: Path, examine: Examine) -> None:
    take_out(rig, 1)
    machines.card(rig, 4)
    told = machines.answers(2, gpu1={"address": f"0000{machines.address(4)}"})
    status, measured, _ = said(examine, told)
    assert (status, f"at {machines.address(4)} was at {machines.address(1)}" in measured) == ("ok", True), measured


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("sys/devices/pci0000:00/0000:00:02.0/0000:02:00.0/removable", "removable"),
        ("sys/devices/pci0000:00/0000:00:02.0/external_facing", "1"),
        ("sys/class/dmi/id/chassis_type", "10"),
    ],
    ids=["eGPU", "behind Thunderbolt's port", "laptop"],
)
def test_a_card_that_may_leave_is_no_failure(root: Path, examine: Examine, file: str, text: str) -> None:
    machines.machine(root, 2)
    write(root / file, f"{text}\n")
    write(root / card_inventory.EXPECTED, f"{card_inventory.EXPECT}=2\n")
    record_cards.main(["--first"], Machine(gpus(0, 1), root))
    take_out(root, 1)
    status, measured, _ = said(examine, machines.answers(1))
    assert (status, "is away, as it may be" in measured) == ("ok", True), measured


@pytest.mark.parametrize(
    ("expect", "there", "status"), [(2, 2, "ok"), (2, 3, "ok"), (4, 3, "failed"), (1, 0, "failed")]
)
def test_the_stack_says_how_many(
    root: Path, healthy: Callable[[int], str], examine: Examine, expect: int, there: int, status: str
) -> None:
    told = healthy(there)
    write(root / card_inventory.EXPECTED, f"{card_inventory.EXPECT}={expect}\n")
    found, measured, _ = said(examine, told)
    assert (found, f"{there} on the bus" in measured) == (status, True), measured


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"cards": []}',
        b'{"since": "", "machine": "", "cards": []}',
        b'{"since": 7, "machine": 1, "cards": {"a": 1}}',
        b'{"since": "x", "machine": "", "cards": [{"address": 1}]}',
        b"[" * 60_000,
        b"x" * 200_000,
    ],
)
def test_a_list_that_cannot_be_read_is_one_finding_and_remember_writes_it_anew(
    rig: Path, examine: Examine, content: bytes
) -> None:
    (rig / MEMORY).write_bytes(content)
    status, measured, fix = said(examine, machines.answers(2))
    assert (status, fix) == ("warning", "sudo rigforge-doctor remember writes it anew")
    assert measured.startswith("/var/lib/rigforge/cards.json cannot be read: ")
    record_cards.main([], Machine(gpus(0, 1), rig))
    assert said(examine, machines.answers(2))[0] == "ok"


def test_what_another_machine_remembered_says_nothing_of_this_one(rig: Path, examine: Examine) -> None:
    """A disk's copy takes the file along; the new machine has an id of its own."""
    write(rig / "etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    take_out(rig, 1)
    assert said(examine, machines.answers(1))[0] == "n/a"
    record_cards.main(["--first"], Machine(gpus(0), rig))
    assert "1 on the bus, all that were there" in said(examine, machines.answers(1))[1]
    assert "0123456789abcdef" not in (rig / MEMORY).read_text()


@pytest.mark.parametrize(("mark", "text"), [(".dockerenv", ""), ("proc/cmdline", "boot=live rigforge.mode=live")])
def test_containers_and_live_sessions_have_the_cards_of_others(
    rig: Path, examine: Examine, mark: str, text: str
) -> None:
    take_out(rig, 1)
    write(rig / mark, text)
    assert said(examine, machines.answers(1))[0] == "n/a"


def test_a_memory_that_cannot_be_written_is_one_line(root: Path) -> None:
    machines.machine(root, 2)
    write(root / "var/lib/rigforge", "no folder")
    with pytest.raises(RigforgeError) as complaint:
        record_cards.main([], Machine(gpus(0, 1), root))
    assert complaint.value.hint == "sudo rigforge-doctor remember"


def test_no_half_a_list_is_ever_there(rig: Path) -> None:
    record_cards.main([], Machine(gpus(0, 1), rig))
    assert [path.name for path in (rig / MEMORY).parent.iterdir()] == ["cards.json"]
    assert (rig / MEMORY).stat().st_mode & 0o777 == 0o644
    assert subprocess.run(["grep", "-c", "GPU-", rig / MEMORY], stdout=subprocess.PIPE).stdout == b"2\n"
