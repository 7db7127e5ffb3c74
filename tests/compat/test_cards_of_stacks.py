"""Cards that are named, or those of this machine, and which stacks drive them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rigforge.compat.stacks import cards, check, refusal
from rigforge.errors import RigforgeError
from rigforge.stack.load import load

ORDER = ("ubuntu-24.04", "debian-12", "smoke")


def machine(root: Path, *devices: str) -> Path:
    """Imitates the PCI bus of a machine with NVIDIA's cards, a sound device and a card of another maker."""
    rows = [("0x10de", "0x030000", device) for device in devices]
    rows += [("0x10de", "0x040300", "0x22ba"), ("0x1002", "0x030000", "0x744c")]
    for number, row in enumerate(rows):
        folder = root / f"sys/bus/pci/devices/0000:{number:02x}:00.0"
        folder.mkdir(parents=True)
        for name, text in zip(("vendor", "class", "device"), row, strict=True):
            (folder / name).write_text(f"{text}\n")
    return root


def test_cards_are_named_as_their_table_has_them() -> None:
    assert cards(["rtx 5090", "10de:2684", "My card=8.9"]) == ("GeForce RTX 5090", "GeForce RTX 4090", "My card=8.9")


def test_a_name_is_the_same_card_when_it_is_read_again() -> None:
    named = cards(["8.9", "4090", "My card=12.0"])
    assert cards(named) == named


def test_a_card_that_nobody_knows_is_told_with_those_that_are_like_it() -> None:
    with pytest.raises(RigforgeError, match="RTX 5909") as failure:
        cards(["RTX 5909"])
    assert "RTX 5090" in failure.value.hint


def test_here_are_this_machines_cards_each_as_often_as_it_has_it(tmp_path: Path) -> None:
    root = machine(tmp_path, "0x2b85", "0x2b85", "0x2684")
    assert cards(["here"], root) == ("GeForce RTX 5090", "GeForce RTX 5090", "GeForce RTX 4090")


def test_a_machine_without_a_card_is_told_to_name_those_of_the_other(tmp_path: Path) -> None:
    for root in (tmp_path / "no-bus", machine(tmp_path)):
        with pytest.raises(RigforgeError, match="no NVIDIA card") as failure:
            cards(["here"], root)
        assert '--gpu "RTX 5090"' in failure.value.hint


def test_a_card_of_this_machine_that_the_table_has_not_is_named_by_its_number(tmp_path: Path) -> None:
    with pytest.raises(RigforgeError, match="10de:ffff"):
        cards(["here"], machine(tmp_path, "0xffff"))


def test_a_stack_whose_driver_is_too_old_is_refused_with_the_one_that_drives_the_card() -> None:
    with pytest.raises(RigforgeError, match="stack debian-12 does not drive GeForce RTX 5090") as failure:
        check(load("debian-12"), ["GeForce RTX 5090"], ORDER, load)
    assert "driver 535 does not drive compute capability 12.0" in failure.value.message
    assert failure.value.hint == "take the stack that does: --stack ubuntu-24.04"


def test_one_card_of_several_is_enough_to_refuse() -> None:
    assert refusal(load("debian-12"), ["GeForce RTX 4090", "GeForce RTX 5090"])
    assert not refusal(load("ubuntu-24.04"), ["GeForce RTX 4090", "GeForce RTX 5090"])


def test_a_stack_without_a_driver_drives_none() -> None:
    assert refusal(load("smoke"), ["GeForce RTX 4090"]) == "it has no driver for any card"


def test_where_no_stack_drives_a_card_that_is_said_with_the_way_to_one() -> None:
    with pytest.raises(RigforgeError, match=r"stack ubuntu-24\.04 does not drive GeForce GTX 1080") as failure:
        check(load("ubuntu-24.04"), ["GeForce GTX 1080"], ORDER, load)
    assert failure.value.hint.startswith("no stack here does")
    assert 'invoke explain --gpu "GeForce GTX 1080"' in failure.value.hint


def test_each_stack_drives_the_cards_that_it_is_for() -> None:
    for name in ORDER[:2]:
        assert refusal(load(name), load(name).gpu.models) == ""
