"""The list of PCI ids, as Debian's package has it."""

from __future__ import annotations

from rigforge.facts import pci_ids, snapshot

LIST = """\
#
#	Version: 2026.10.24
10dd  Enhance electronics
	2684  GB202 [of another vendor]
10de  NVIDIA Corporation
	2684  AD102 [GeForce RTX 4090]
		10b0 1234  of a maker
	1b04  GP102
	2c3a  GB203GL [RTX PRO 4500 Blackwell Server Edition]
	22ba  AD102 High Definition Audio Controller
	1af1  GA100 [A100 NVSwitch]
	1ad6  TU102 USB 3.1 Host Controller
	2900  GB100 [Reserved Dev ID A]
	0008  NV1 [EDGE 3D]
10df  Emulex
	2685  AD102 [no card of ours]
"""


def cards() -> dict[str, pci_ids.Listed]:
    place = snapshot.places()["pci-ids"]
    return pci_ids.cards(LIST, place["vendor"], place["no_card"])


def test_cards_are_those_of_the_vendor_by_chip() -> None:
    assert cards() == {
        "2684": pci_ids.Listed("AD102", "GeForce RTX 4090"),
        "1b04": pci_ids.Listed("GP102", "GP102"),
        "2c3a": pci_ids.Listed("GB203", "RTX PRO 4500 Blackwell Server Edition"),
    }


def test_the_list_says_of_which_day_it_is() -> None:
    assert pci_ids.version_of(LIST) == "2026.10.24"
    assert pci_ids.version_of("rubbish") == ""


def test_the_snapshot_keeps_all_of_it() -> None:
    assert pci_ids.from_json(pci_ids.as_json(cards())) == cards()
