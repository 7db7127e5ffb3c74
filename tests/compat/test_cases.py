"""What people ask, and what has to come out."""

from __future__ import annotations

import time

from rigforge.compat.conflict import conflict
from rigforge.compat.reasons import reasons
from rigforge.compat.solution import Solution
from tests.compat.asking import BOOKWORM, NOBLE, TRIXIE, ask, short

LAST_FOR_OLD = "native 580 proprietary 12.6.77 2.14.1+cu126"
NEWEST = "native 620 open 13.2.2 2.15.0"


ALONE: list[tuple[list[str], str]] = [
    (["RTX 5090"], NEWEST),
    (["4090", "4090"], NEWEST),
    (["T4"], NEWEST),
    (["B200"], NEWEST),
    (["RTX 3060"], NEWEST),
    (["B300"], NEWEST),
    (["GB10"], NEWEST),
    (["L40S", "H100", "A100"], NEWEST),
    (["RTX 2080 Ti", "RTX 5090"], NEWEST),
    (["GTX 1080 Ti"], LAST_FOR_OLD),
    (["1080 Ti", "4090"], LAST_FOR_OLD),
    (["V100"], LAST_FOR_OLD),
    (["P100"], LAST_FOR_OLD),
    (["GTX 980"], LAST_FOR_OLD),
    (["TITAN V", "H100"], LAST_FOR_OLD),
    (["GT 710"], "impossible"),
    (["K80"], "minor-compat 470 proprietary 11.8.89 2.3.1+cu118"),
    (["1080 Ti", "5090"], "impossible"),
    (["V100", "B200"], "impossible"),
    (["Jetson=11.0"], "impossible"),
    (["Rubin=10.7"], "impossible"),
    (["GH200"], NEWEST),
    (["GH200", "H100"], NEWEST),
    ([], NEWEST),
]


def test_cards_alone() -> None:
    answers = [(gpus, comes_out, short(ask(*gpus))) for gpus, comes_out in ALONE]
    wrong = [f"{gpus}: {came_out}, not {comes_out}" for gpus, comes_out, came_out in answers if came_out != comes_out]
    assert not wrong, "\n".join(wrong)


WITH_WISHES: list[tuple[str, dict[str, str], str]] = [
    ("B300", {"driver": "570"}, "impossible"),
    ("B300", {"driver": "575"}, "native 575 open 12.9.79 2.13.0+cu129"),
    ("RTX 3060", {"cuda": "13"}, NEWEST),
    ("RTX 3060", {"cuda": "13.0"}, "native 620 open 13.0.3 2.15.0+cu130"),
    ("RTX 3060", {"cuda": ">=12.8,<13"}, "native 620 open 12.9.79 2.13.0+cu129"),
    ("RTX 3060", {"cuda": "12"}, "native 620 open 12.6.77 2.14.1+cu126"),
    ("H100", {"pytorch": "2.6"}, "native 620 open 12.4.127 2.6.0"),
    ("H100", {"pytorch": "2.9"}, "native 620 open 12.8.90 2.9.1"),
    ("H100", {"pytorch": "2.9.0"}, "native 620 open 12.8.90 2.9.0"),
    ("H100", {"pytorch": "<2.9"}, "native 620 open 12.8.90 2.8.0"),
    ("1080 Ti", {"provider": "pypi"}, "native 580 proprietary 12.6.77 2.7.1"),
    ("1080 Ti", {"cuda": "13"}, "impossible"),
    ("1080 Ti", {"driver": "580-open"}, "impossible"),
    ("1080 Ti", {"driver": "595"}, "impossible"),
    ("V100", {"provider": "pypi"}, "native 580 proprietary 12.8.90 2.10.0"),
    ("4090", {"pytorch": "2.15", "driver": "535"}, "impossible"),
    ("4090", {"pytorch": "2.15", "driver": "580"}, "native 580 open 13.0.3 2.15.0+cu130"),
    ("4090", {"driver": "580"}, "native 580 open 13.0.3 2.15.0+cu130"),
    ("4090", {"driver": "580", "provider": "pypi"}, "minor-compat 580 open 13.2.2 2.15.0"),
    ("4090", {"driver": "580", "cuda": "13.0"}, "native 580 open 13.0.3 2.15.0+cu130"),
    ("4090", {"driver": "580-server"}, "native 580 proprietary 13.0.3 2.15.0+cu130"),
    ("4090", {"driver": "580-server-open"}, "native 580 open 13.0.3 2.15.0+cu130"),
    ("4090", {"driver": "535", "provider": "pypi"}, "minor-compat 535 proprietary 12.8.90 2.10.0"),
    ("4090", {"driver": "lts"}, NEWEST),
    ("4090", {"driver": "new-feature"}, "native 615 open 13.2.2 2.15.0"),
    ("4090", {"python": "3.9"}, "native 620 open 12.8.90 2.8.0"),
    ("4090", {"python": "3.9", "pytorch": "2.15"}, "impossible"),
    ("4090", {"python": ">=3.10,<3.11"}, "native 620 open 13.0.3 2.14.1"),
    ("4090", {"python": "3.8"}, "native 620 open 12.1.105 2.4.1"),
    ("4090", {"python": "3.7"}, "impossible"),
    ("4090", {"cudnn": "9.10"}, "native 620 open 12.6.77 2.14.1+cu126"),
    ("4090", {"pytorch": "1.13"}, "impossible"),
    ("4090", {"pytorch": "2.15", "cuda": "12"}, "impossible"),
    ("4090", {"pytorch": "2.14.1+cu126"}, "native 620 open 12.6.77 2.14.1+cu126"),
    ("4090", {"pytorch": "auto", "cuda": "auto"}, NEWEST),
    ("5090", {"pytorch": "2.7"}, "native 620 open 12.8.57 2.7.1+cu128"),
    ("5090", {"pytorch": "2.7", "provider": "pypi"}, "impossible"),
    ("5090", {"pytorch": "2.6"}, "impossible"),
    ("5090", {"driver": "565"}, "impossible"),
    ("4090", {"driver": "560"}, "native 560 open 12.6.77 2.14.1+cu126"),
    ("4090", {"driver": "545"}, "minor-compat 545 proprietary 12.6.77 2.14.1+cu126"),
    ("4090", {"driver": "520"}, "native 520 proprietary 11.8.89 2.7.1+cu118"),
    ("A100", {"driver": "450"}, "minor-compat 450 proprietary 11.8.89 2.7.1+cu118"),
    ("4090", {"driver": "515"}, "impossible"),
    ("3090", {"driver": "450"}, "impossible"),
    ("4090", {"pytorch": "2.15", "cuda": "13.0"}, "native 620 open 13.0.3 2.15.0+cu130"),
    ("4090", {"pytorch": "2.14", "cuda": "13.2"}, "native 620 open 13.2.1 2.14.1+cu132"),
    ("3090", {"pytorch": "2.4.1"}, "native 620 open 12.1.105 2.4.1"),
    ("3090", {"pytorch": "2.0"}, "native 620 open 11.7.99 2.0.1"),
    ("V100", {"pytorch": "2.11+cu128"}, "impossible"),
    ("GH200", {"driver": "580-server"}, "impossible"),
    ("Rubin=10.7", {"driver": "595"}, "impossible"),
    ("5090", {"driver": "580-server"}, "impossible"),
]


def test_cards_with_wishes() -> None:
    answers = [(f"{gpu} {wishes}", result, short(ask(gpu, **wishes))) for gpu, wishes, result in WITH_WISHES]
    wrong = [
        f"{request}: {came_out}, not {comes_out}" for request, comes_out, came_out in answers if came_out != comes_out
    ]
    assert not wrong, "\n".join(wrong)


def test_ubuntu_24_04_with_its_long_term_driver() -> None:
    assert short(ask("RTX 5090", archives=NOBLE, cuda="13.0")) == "native 580 open 13.0.3 2.15.0+cu130"
    assert short(ask("RTX 5090", archives=NOBLE, prefer="lts", provider="pypi")) == "native 580 open 13.0.3 2.14.1"


def test_debians_driver_takes_the_newest_pytorch_of_its_cudas_major_version() -> None:
    for archives, python in ((BOOKWORM, "3.11"), (TRIXIE, "3.13")):
        found = ask("4090", archives=archives, provider="pypi", python=python)
        assert short(found).endswith("12.8.90 2.10.0")
        assert found.verdict == "minor-compat"


def test_debians_driver_has_a_native_set_for_those_who_want_one() -> None:
    found = ask("3090", archives=TRIXIE, provider="pypi", python="3.13", prefer="native")
    assert short(found) == "native 550 proprietary 12.4.127 2.6.0"


def test_a_module_that_does_not_compile_for_the_kernel_is_not_chosen() -> None:
    found = ask("4090", archives=TRIXIE)
    assert found.combination and found.combination.driver.module == "proprietary"
    told = {reason.component: reason.why for reason in reasons(found)}
    assert told["kernel module"] == "the open one does not compile for the kernel of these archives"
    assert short(ask("4090", archives=TRIXIE, driver="550-open")) == "impossible"


def test_blackwell_on_debians_own_driver_is_impossible_and_told_why() -> None:
    found = ask("5090", archives=BOOKWORM)
    assert short(found) == "impossible"
    assert conflict(found) == (
        "GeForce RTX 5090 and the drivers of Debian 12 cannot be had together",
        "driver 535 does not drive compute capability 12.0 (GeForce RTX 5090); the first that does is 570",
    )
    assert [short(each) for each in found.alternatives] == [NEWEST]


def test_a_wish_that_an_old_card_cannot_have_is_told_with_the_last_that_it_can() -> None:
    assert conflict(ask("1080 Ti", cuda="13")) == (
        'GeForce GTX 1080 Ti and cuda = "13" cannot be had together',
        "CUDA 13 has no code for compute capability 6.1 (GeForce GTX 1080 Ti); the last PyTorch for it is 2.14.1+cu126",
    )


def test_kepler_of_3_5_is_too_old_for_every_pytorch() -> None:
    lead, *why = conflict(ask("GT 710"))
    assert lead == "GeForce GT 710 cannot be had"
    assert any("no PyTorch in the tables has" in each for each in why)
    assert "the last that does is 470" in conflict(ask("K80", driver="535"))[1]


BEYOND_THE_TABLES: list[tuple[str, dict[str, str]]] = [
    ("4090", {"pytorch": "2.16"}),
    ("4090", {"pytorch": "1.13"}),
    ("4090", {"pytorch": "2.15+cu126"}),
    ("4090", {"pytorch": "2.15", "cuda": "12.6"}),
    ("4090", {"driver": "600"}),
    ("4090", {"driver": "440"}),
    ("4090", {"cuda": "13.4"}),
    ("4090", {"python": "3.16"}),
    ("4090", {"cudnn": "9.28"}),
    ("Rubin=10.7", {}),
    ("Next=13.0", {}),
    ("5090", {"pytorch": "2.6"}),
]


def test_where_only_the_tables_end_the_answer_says_so() -> None:
    told = [(f"{gpu} {wishes}", " ".join(conflict(ask(gpu, **wishes))[1:])) for gpu, wishes in BEYOND_THE_TABLES]
    wrong = [f"{request}: {reason}" for request, reason in told if "the tables" not in reason]
    assert not wrong, "\n".join(wrong)


def test_a_version_that_nobody_has_read_from_the_wheel_is_told_so() -> None:
    told = {reason.component: reason.why for reason in reasons(ask("4090", pytorch="2.15", cuda="13.0"))}
    assert told["CUDA"].endswith("taken from the other wheels of 2.15.0, not read from this one")
    assert "not read" not in " ".join(map(str, reasons(ask("4090", pytorch="2.14", cuda="13.0"))))


def test_grace_hopper_is_driven_by_the_open_module_alone() -> None:
    told = {reason.component: reason.why for reason in reasons(ask("GH200"))}
    assert told["kernel module"] == "no other drives the GH200"
    assert short(ask("H100", driver="580-server")) == "native 580 proprietary 13.0.3 2.15.0+cu130"


def test_of_a_request_with_many_parts_that_clash_the_nearest_keep_the_card() -> None:
    clash = {"pytorch": "2.14", "cuda": "13.0", "cudnn": "9.24", "driver": "580-server-open", "provider": "pypi"}
    found = ask("1080 Ti", archives=NOBLE, **clash)
    assert short(found) == "impossible"
    assert {short(each) for each in found.alternatives} >= {"native 580 proprietary 12.6.77 2.14.1+cu126"}
    assert all(each.request.gpus == found.request.gpus for each in found.alternatives)


def test_only_what_contradicts_itself_is_told() -> None:
    found = ask("4090", "T4", pytorch="2.15", driver="535", python="3.12")
    assert {str(part) for part in found.conflict} == {'pytorch = "2.15"', 'driver = "535"'}


def test_three_wishes_of_which_any_two_could_be_had() -> None:
    found = ask(cuda="12.8", pytorch=">=2.9", python="3.9")
    assert {str(part) for part in found.conflict} == {'pytorch = ">=2.9"', 'python = "3.9"'}
    found = ask("V100", provider="pypi", pytorch=">=2.8", driver="595")
    assert len(found.conflict) == 2


def test_the_nearest_sets_keep_the_cards_where_they_can() -> None:
    found = ask("1080 Ti", cuda="13", python="3.12")
    assert short(found.alternatives[0]) == LAST_FOR_OLD
    assert found.alternatives[0].request.gpus == found.request.gpus


def test_what_was_chosen_has_a_reason_each() -> None:
    told = {reason.component: str(reason) for reason in reasons(ask("1080 Ti"))}
    assert list(told) == ["driver", "kernel module", "CUDA", "cuDNN", "PyTorch", "Python"]
    assert "native for CUDA 12.6.77" in told["driver"]
    assert "supported until 2028-06" in told["driver"]
    assert "the open one does not drive the GeForce GTX 1080 Ti" in told["kernel module"]
    assert "not newer: CUDA 13 has no code for compute capability 6.1" in told["PyTorch"]


def test_a_driver_whose_support_has_ended_is_told_so() -> None:
    told = {reason.component: str(reason) for reason in reasons(ask("4090", archives=BOOKWORM))}
    assert "support by NVIDIA ended 2026-06" in told["driver"]
    assert "by minor-version compatibility" in told["driver"]


def test_a_driver_that_has_ended_nobody_knows_when_is_told_so() -> None:
    told = {reason.component: str(reason) for reason in reasons(ask("4090", driver="565"))}
    assert told["driver"].endswith("; new-feature branch, support by NVIDIA has ended")


def test_an_answer_takes_less_than_a_tenth_of_a_second() -> None:
    """Half of that here on two quiet cores; the slowest are impossible requests of many cards."""
    ask("T4")
    many = ("5090", "4090", "1080 Ti", "V100", "3060", "T4", "H100", "B200", "P100", "GT 710")
    fastest = min(_seconds(*many) for _ in range(3))
    assert fastest < 0.1


def test_the_reason_for_what_is_impossible_takes_no_longer() -> None:
    found = ask("GT 710")
    assert min(_seconds_told(found) for _ in range(3)) < 0.2


def _seconds_told(found: Solution) -> float:
    start = time.process_time()
    conflict(found)
    return time.process_time() - start


def _seconds(*gpus: str) -> float:
    start = time.process_time()
    ask(*gpus, pytorch="2.15", driver="535", python="3.9")
    return time.process_time() - start
