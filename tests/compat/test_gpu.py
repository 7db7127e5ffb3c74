"""Cards by what people type."""

from __future__ import annotations

import time

import pytest

from rigforge.compat.gpu import by_pci, cards, find, further_cards
from rigforge.errors import RigforgeError
from rigforge.stack.load import load, names

TYPED = [
    ("4090", "GeForce RTX 4090", "8.9"),
    ("rtx4090", "GeForce RTX 4090", "8.9"),
    ("RTX-4090", "GeForce RTX 4090", "8.9"),
    ("GeForce RTX 4090", "GeForce RTX 4090", "8.9"),
    ("NVIDIA GeForce RTX 4090", "GeForce RTX 4090", "8.9"),
    ("nvidia geforce rtx 4090 (AD102)", "GeForce RTX 4090", "8.9"),
    ("10de:2684", "GeForce RTX 4090", "8.9"),
    ("10DE:2684", "GeForce RTX 4090", "8.9"),
    ("0x2684", "GeForce RTX 4090", "8.9"),
    ("4090 laptop", "GeForce RTX 4090 Laptop GPU", "8.9"),
    ("4070 ti super", "GeForce RTX 4070 Ti SUPER", "8.9"),
    ("4070ti", "GeForce RTX 4070 Ti", "8.9"),
    ("RTX 5090", "GeForce RTX 5090", "12.0"),
    ("5060 ti", "GeForce RTX 5060 Ti", "12.0"),
    ("rtx pro 6000", "RTX PRO 6000 Blackwell", "12.0"),
    ("1080ti", "GeForce GTX 1080 Ti", "6.1"),
    ("GTX 1080 Ti", "GeForce GTX 1080 Ti", "6.1"),
    ("gtx1060", "GeForce GTX 1060", "6.1"),
    ("1660 super", "GeForce GTX 1660 SUPER", "7.5"),
    ("2080 Super", "GeForce RTX 2080 SUPER", "7.5"),
    ("RTX 2080 Ti", "GeForce RTX 2080 Ti", "7.5"),
    ("3060 Ti", "GeForce RTX 3060 Ti", "8.6"),
    ("titan rtx", "TITAN RTX", "7.5"),
    ("titan v", "TITAN V", "7.0"),
    ("titan xp", "TITAN Xp", "6.1"),
    ("750 ti", "GeForce GTX 750 Ti", "5.0"),
    ("gtx 980", "GeForce GTX 980", "5.2"),
    ("GT 710", "GeForce GT 710", "3.5"),
    ("K80", "Tesla K80", "3.7"),
    ("K40", "Tesla K40m", "3.5"),
    ("M60", "Tesla M60", "5.2"),
    ("P100", "Tesla P100", "6.0"),
    ("p40", "Tesla P40", "6.1"),
    ("v100", "Tesla V100", "7.0"),
    ("V100 SXM2 16GB", "Tesla V100 SXM2 16GB", "7.0"),
    ("T4", "Tesla T4", "7.5"),
    ("A100", "A100", "8.0"),
    ("a100 40gb", "A100", "8.0"),
    ("A100-SXM4-80GB", "A100-SXM4-80GB", "8.0"),
    ("A10", "A10", "8.6"),
    ("a6000", "RTX A6000", "8.6"),
    ("quadro p4000", "Quadro P4000", "6.1"),
    ("rtx 6000", "Quadro RTX 6000", "7.5"),
    ("6000 ada", "RTX 6000 Ada Generation", "8.9"),
    ("L4", "L4", "8.9"),
    ("l40s", "L40S", "8.9"),
    ("H100 SXM5 80GB", "H100", "9.0"),
    ("h200", "H200", "9.0"),
    ("gh200", "GH200", "9.0"),
    ("B200", "B200", "10.0"),
    ("gb10", "GB10", "12.1"),
    ("8.9", "compute capability 8.9", "8.9"),
    ("sm_120", "compute capability 12.0", "12.0"),
    ("Next Card=12.3", "Next Card", "12.3"),
]


def named(typed: str) -> tuple[str, str]:
    """Name and compute capability of the card that is found, or why none is."""
    try:
        found = find(typed)
    except RigforgeError as error:
        return error.message, ""
    return found.name, found.compute_capability


def test_a_card_is_found_as_people_type_it() -> None:
    found = {typed: named(typed) for typed, _, _ in TYPED}
    wrong = [f"{typed}: {found[typed]}, not {expected}" for typed, *expected in TYPED if [*found[typed]] != expected]
    assert not wrong, "\n".join(wrong)


def test_every_card_is_found_by_its_own_name_at_once() -> None:
    start = time.process_time()
    for card in cards():
        assert find(card.name) == card
    assert time.process_time() - start < 1.0


def test_every_card_is_found_by_its_pci_ids() -> None:
    for card in cards():
        assert all(by_pci(device) == card for device in card.pci)


BY_CHIP = [
    ("2c3a", "RTX PRO 4500 Blackwell Server Edition", "12.0"),
    ("2bb2", "RTX PRO 6000D Blackwell Workstation Edition", "12.0"),
    ("2909", "HGX B200 168GB", "10.0"),
    ("31a1", "GB300 MaxQ", "10.3"),
    ("20b1", "A100 PCIe 40GB", "8.0"),
    ("1b87", "P104-100", "6.1"),
    ("1c07", "P106-100", "6.1"),
    ("1db7", "Tesla V100 DGXS 32GB", "7.0"),
    ("2336", "H100", "9.0"),
    ("2082", "CMP 170HX", "8.0"),
    ("3021", "PCIe Faber", "10.7"),
    ("1b04", "GP102", "6.1"),  # of this one the list has the chip alone
    ("2f06", "GeForce RTX 5060", "12.0"),  # by this name more is known
]


def test_a_card_of_the_pci_list_has_the_compute_capability_of_its_chip() -> None:
    found = [(device, name, capability, *named(f"10de:{device}")) for device, name, capability in BY_CHIP]
    wrong = [str(row) for row in found if not row[3].startswith(row[1]) or row[4] != row[2]]
    assert not wrong, "\n".join(wrong)


def test_a_name_in_both_tables_is_the_card_of_which_more_is_known() -> None:
    assert by_pci("2f06") == find("RTX 5060") and find("RTX 5060").power == 145


def test_a_card_known_by_its_chip_alone_is_found_by_name() -> None:
    assert find("P104-100").compute_capability == "6.1"
    assert find("RTX PRO 4500 Blackwell Server Edition").compute_capability == "12.0"
    assert find("GH200 120GB").processor == find("GB300 MaxQ").processor == "arm64"


def test_what_is_no_card_is_in_no_table() -> None:
    for name in (card.name for card in further_cards()):
        assert not any(word in name for word in ("Audio", "USB", "NVSwitch", "Reserved")), name


@pytest.mark.parametrize(
    ("card", "watts"),
    [
        ("Tesla V100 SXM2 16GB", 300),
        ("Tesla V100 SXM2 32GB", 300),
        ("Tesla V100 PCIe 16GB", 250),
        ("L40S", 350),
        ("A10G", 300),
    ],
)
def test_the_power_is_what_nvidia_smi_says_of_the_card(card: str, watts: int) -> None:
    assert find(card).power == watts


@pytest.mark.parametrize("stack", names())
def test_the_cards_of_our_stacks_are_known(stack: str) -> None:
    for model in load(stack).gpu.models:
        assert find(model).name


@pytest.mark.parametrize(
    ("typed", "near"), [("RTX 5O90", "GeForce RTX 5090"), ("4091", "GeForce RTX 4090"), ("A600", "RTX A6000")]
)
def test_an_unknown_card_is_told_with_those_near_to_it(typed: str, near: str) -> None:
    with pytest.raises(RigforgeError, match=f"'{typed}' is not known") as caught:
        find(typed)
    assert near in caught.value.hint
    assert '--gpu "NAME=8.9"' in caught.value.hint


@pytest.mark.parametrize("typed", ["", "voodoo", "10de:ffff", "NVIDIA", "=8.9x"])
def test_what_is_no_card_is_told_how_a_new_one_is_given(typed: str) -> None:
    with pytest.raises(RigforgeError) as caught:
        find(typed)
    assert '--gpu "NAME=8.9"' in caught.value.hint


@pytest.mark.parametrize("typed", ["titan", "rtx"])
def test_a_name_that_many_cards_begin_with_is_not_guessed_at(typed: str) -> None:
    with pytest.raises(RigforgeError, match="can be"):
        find(typed)
