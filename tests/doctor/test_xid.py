"""Numbered errors of GPUs and NVSwitches: each has a meaning, and the driver's own word goes before the table's."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from rigforge.doctor.check import Check
from rigforge.doctor.checks import xid
from rigforge.doctor.checks.kernel_log import XID
from rigforge.doctor.checks.xid import decoded, of_logs
from rigforge.doctor.kernel_log import Log

TABLES = {kind: tomllib.loads((Path(xid.__file__).with_name(f"{kind}.toml")).read_text()) for kind in ("xid", "sxid")}


def look(*lines: str, ago: int = 0) -> list[Check]:
    return decoded(XID, of_logs([Log(lines)]), ago)


def gpu(number: int, text: str = "", address: str = "PCI:0000:01:00") -> str:
    return f"NVRM: Xid ({address}): {number}, {text}"


@pytest.mark.parametrize("kind", ["xid", "sxid"])
def test_every_error_has_meaning_action_and_source(kind: str) -> None:
    table = TABLES[kind]
    assert all(row["means"] and row["name"] and row["source"] for row in table[kind].values())
    assert {row["action"] for row in table[kind].values()} <= {*table["actions"], "told"}
    assert {*table.get("recovery", {}).values()} <= {*table["actions"]}


def test_all_numbers_of_the_catalogue_and_of_the_headers_are_there() -> None:
    assert [int(number) for number in TABLES["xid"]["xid"]] == list(range(1, 177))
    catalogue = [number for number, row in TABLES["xid"]["xid"].items() if row["source"] == "catalogue"]
    assert [int(number) for number in catalogue] == list(range(1, 173))


@pytest.mark.parametrize(
    ("line", "status", "means", "cure"),
    [
        (gpu(13, "pid=7, Graphics Exception"), "warning", "out of bounds", "look at the program"),
        (gpu(31, "pid=7"), "warning", "page fault", "look at the program"),
        (gpu(43, "pid=7"), "warning", "the GPU goes on", "nothing has to be done now"),
        (gpu(48, "DBE"), "failed", "two bits", "sudo nvidia-smi --gpu-reset -i 0000:01:00.0"),
        (gpu(54), "failed", "power plugs", "plug in every power cable"),
        (gpu(62), "failed", "microcontroller", "--gpu-reset"),
        (gpu(64), "failed", "could not be set aside", "--gpu-reset"),
        (gpu(74), "failed", "NVLink", "nvidia-smi nvlink --status"),
        (gpu(79), "failed", "fallen off the bus", "sudo reboot"),
        (gpu(95), "failed", "not contained", "--gpu-reset"),
        (gpu(94, "Contained", "PCI:0000:01:00 GPU-I:05"), "warning", "contained", "look at the program"),
        (gpu(109), "failed", "switching between programs", "--gpu-reset"),
        (gpu(119, "Timeout after 6s of waiting for RPC"), "failed", "(GSP)", "--gpu-reset"),
        (gpu(140), "failed", "could not be recovered", "--gpu-reset"),
        (gpu(143), "failed", "could not be started", "--gpu-reset"),
        (gpu(145, "RLW_RXPIPE Nonfatal XC0 i0 Link 11"), "warning", "NVLink", "nothing has to be done now"),
        (gpu(171), "failed", "ECC cannot correct", "vendor"),
        (gpu(175), "failed", "memory subsystem", "vendor"),
        (gpu(999), "warning", "that no table of", "vendor"),
        ("NVRM: Xid (0000:03:00): 6, PE0001", "warning", "corrupted stream", "vendor"),
        ("NVRM: GPU 0000:01:00.0: GPU has fallen off the bus.", "failed", "fallen off the bus", "sudo reboot"),
        ("nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 20034, Fatal, Link 30", "failed", "ltssm", "--gpu-reset"),
        ("nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 22003, Fatal, MINION", "failed", "halt", "nvidia-fabricmanager"),
        ("nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 20034, Non-fatal, Link 30", "warning", "ltssm", "nothing has to"),
        ("nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 28003, Fatal", "failed", "heat", "fans"),
        ("nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 10009, Recovery", "warning", "host interface", "vendor"),
    ],
)
def test_what_an_error_means_and_what_cures_it(line: str, status: str, means: str, cure: str) -> None:
    (found,) = look(line)
    assert found.status == status
    assert means in found.measured
    assert line[:60] in found.measured, "the line itself is quoted"
    assert cure in found.fix


@pytest.mark.parametrize(
    ("asked", "status", "cure"),
    [
        ("0x2 (Node Reboot Required)", "failed", "sudo reboot"),
        ("0x1 (GPU Reset Required)", "failed", "--gpu-reset"),
        ("0x3 (Drain P2P)", "failed", "end the programs that use this GPU together with others"),
        ("0x4 (Drain and Reset)", "failed", "end all programs on it"),
        ("0x5 (Recover IMEX Domain)", "failed", "nvidia-imex"),
        ("0x9 (Something New)", "failed", "vendor"),
        ("0x0 (None)", "failed", "nothing has to be done now"),
    ],
)
def test_what_the_driver_asks_for_goes_before_the_table(asked: str, status: str, cure: str) -> None:
    told = gpu(154, f"GPU recovery action changed from 0x0 (None) to {asked}")
    (found,) = look(gpu(145, "RLW_RXPIPE Fatal XC0 i0 Link 11"), told)
    assert (found.status, cure in found.fix) == (status, True), found
    assert "NVLink error" in found.measured
    assert asked.partition("(")[2].rstrip(")") in found.measured


def test_of_several_words_of_the_driver_the_last_counts() -> None:
    words = [
        f"GPU recovery action changed from 0x0 (None) to {word}" for word in ("0x1 (GPU Reset Required)", "0x0 (None)")
    ]
    (found,) = look(gpu(109), *(gpu(154, word) for word in words), gpu(154, words[0]))
    assert "--gpu-reset" in found.fix


def test_cards_that_need_the_same_share_a_cure_and_the_strongest_comes_first() -> None:
    cards = [gpu(119, address=f"PCI:0000:{bus}:00") for bus in ("01", "02")]
    reboot, reset = look(*cards, gpu(79, address="PCI:0000:03:00"))
    assert "0000:03:00" in reboot.measured and "sudo reboot" in reboot.fix
    assert "-i 0000:01:00.0,0000:02:00.0;" in reset.fix


@pytest.mark.parametrize("number", [14, 106, 107])
def test_a_test_is_no_trouble(number: int) -> None:
    assert not look(gpu(number))


def test_a_card_that_fell_off_is_told_once() -> None:
    (found,) = look("NVRM: GPU 0000:01:00.0: GPU has fallen off the bus.", gpu(79, "GPU has fallen off the bus."))
    assert found.measured.count("Xid 79") == 1
