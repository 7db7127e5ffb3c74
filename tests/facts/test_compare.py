"""What is told of facts that the tables have not, or have otherwise."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from rigforge.compat.tables import tables
from rigforge.facts import snapshot
from rigforge.facts.compare import differences

PYPI = ("pypi", "facts")
UBUNTU = ("archive ubuntu noble", "facts", "drivers")


def told(*path: str, **changes: Any) -> list[tuple[str, str]]:
    """Returns kind and text of what is told of one place where its facts are changed so."""
    place = copy.deepcopy(snapshot.load()[path[0]])
    at = {path[0]: place}
    for name in path:
        at = at[name]
    at.update(changes)
    found = differences(tables(), {path[0]: place}, snapshot.places())
    return [(each.kind, str(each)) for each in found]


def test_a_new_pytorch_and_one_that_pins_something_else() -> None:
    wheel = {"cuda": "13.5.0", "cudnn": "9.28.1.4", "nccl": "2.32.3", "python": ["3.12"]}
    found = told(*PYPI, "torch", **{"2.16.0": wheel})
    assert ("new", "pytorch: PyTorch 2.16.0: on PyPI, with CUDA 13.5.0") in found
    older = {**snapshot.load()["pypi"]["facts"]["torch"]["2.15.0"], "cudnn": "9.27.0.1"}
    found = told(*PYPI, "torch", **{"2.15.0": older})
    assert (
        "disagrees",
        "pytorch: PyTorch 2.15.0: cudnn: the table has 9.26.0.51, there it is 9.27.0.1",
    ) in found


def test_a_pytorch_that_is_not_there_any_more() -> None:
    place = copy.deepcopy(snapshot.load()["pypi"])
    del place["facts"]["torch"]["2.4.1"]
    found = differences(tables(), {"pypi": place}, snapshot.places())
    assert "pytorch: PyTorch 2.4.1: it is not on PyPI" in [str(each) for each in found if each.kind == "disagrees"]


def test_a_new_cuda_and_one_with_another_cudart() -> None:
    found = told(*PYPI, "toolkit", **{"13.6.0": "13.6.11", "13.5.0": "13.5.38"})
    assert ("new", "cuda: CUDA 13.6.0: on PyPI, with cudart 13.6.11") in found
    assert (
        "disagrees",
        "cuda: CUDA 13.5.0: cudart: the table has 13.5.37, there it is 13.5.38",
    ) in found


def test_a_new_cudnn_whose_matrix_nobody_has_read() -> None:
    found = told(*PYPI, "cudnn", **{"13": ["9.99.0.1"]})
    assert ("new", "cudnn: cuDNN 9.99.0.1 for CUDA 13: NVIDIA's matrices were read up to 9.25.1") in found


@pytest.mark.parametrize(
    ("listed", "kind", "text"),
    [
        ("GB203 [GeForce RTX 5080 SUPER]", "new", "GeForce RTX 5080 SUPER (GB203): compute capability 12.0"),
        ("GX100 [Next]", "new", "Next (GX100): a chip without a compute capability in the table"),
        ("GF100 [GeForce GTX 480]", "", ""),
    ],
)
def test_a_card_that_no_table_has(listed: str, kind: str, text: str) -> None:
    found = [each for each in told("pci-ids", "facts", "cards", ffff=listed) if "10de:ffff" in each[1]]
    assert found == ([(kind, f"chips: 10de:ffff {text}")] if kind else [])


def test_a_card_of_another_chip_than_the_table_has_it() -> None:
    found = told("pci-ids", "facts", "cards", **{"2684": "GB202 [GeForce RTX 4090]"})
    assert ("disagrees", "chips: 10de:2684 GeForce RTX 4090 (GB202): the table has 8.9, there it is 12.0") in found


def test_drivers_that_an_archive_has_and_those_it_has_not() -> None:
    place = copy.deepcopy(snapshot.load()[UBUNTU[0]])
    place["facts"]["drivers"] = ["580.999.01", "625.10.02"]
    found = {str(each): each.kind for each in differences(tables(), {UBUNTU[0]: place}, snapshot.places())}
    assert found["drivers: driver 580.999.01: in ubuntu noble"] == "new"
    assert found["drivers: driver 580.178.04: it is not in ubuntu noble"] == "disagrees"
    assert found["drivers: branch 580: the table's latest is 580.178.04, ubuntu noble has 580.999.01"] == "disagrees"
    assert found["drivers: branch 625: in ubuntu noble"] == "new"


def test_what_nvidia_publishes() -> None:
    branches = {"580": "580.999.01", "625": "625.1.2", "418": "418.226.00"}
    published = {
        "nvidia branches": {"asked": "2026-11-30", "facts": {"branches": branches}},
        "nvidia toolkits": {"asked": "2026-11-30", "facts": {"toolkits": {"13.0.3": {"runtime": "13.0.97"}}}},
    }
    found = differences(tables(), published, snapshot.places())
    assert {(each.kind, each.what) for each in found} == {
        ("disagrees", "branch 580"),
        ("new", "branch 625"),
        ("disagrees", "CUDA 13.0.3: cudart"),
    }
