"""Rows that are written into the tables."""

from __future__ import annotations

import copy
import shutil
import tomllib
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from rigforge.compat.tables import tables
from rigforge.facts import snapshot
from rigforge.facts.write import write_all

TODAY = date(2027, 1, 15)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the tables."""
    for file in Path(str(files("rigforge.compat"))).glob("*.toml"):
        shutil.copy(file, tmp_path)
    return tmp_path


def written(folder: Path, observed: dict[str, Any]) -> list[str]:
    return list(write_all(folder, tables(), observed, TODAY, lambda version: ("7.5", "12.0")))


def table(folder: Path, name: str) -> dict[str, Any]:
    return tomllib.loads((folder / f"{name}.toml").read_text())


def test_of_what_was_seen_already_nothing_is_written(folder: Path) -> None:
    before = {file.name: tomllib.loads(file.read_text()) for file in folder.glob("*.toml")}
    assert written(folder, snapshot.load()) == []
    after = {file.name: tomllib.loads(file.read_text()) for file in folder.glob("*.toml")}
    before["chips.toml"]["as_of"] = TODAY  # it is the day of the list that was read
    assert after == before


def test_a_new_pytorch_and_a_new_update_of_cuda_get_rows_with_their_sources(folder: Path) -> None:
    observed = {"pypi": copy.deepcopy(snapshot.load()["pypi"])}
    wheel = {"cuda": "13.5.1", "cudnn": "9.28.1.4", "nccl": "2.32.3", "python": ["3.12", "3.13"]}
    observed["pypi"]["facts"]["torch"]["2.16.0"] = wheel
    observed["pypi"]["facts"]["toolkit"] |= {"13.5.1": "13.5.37", "14.0.0": "14.0.1"}
    assert written(folder, observed) == [
        "pytorch.toml: PyTorch 2.16.0",
        "cuda.toml: CUDA 13.5.1, with the driver of 13.5.0",
    ]
    assert table(folder, "pytorch")["build"][-1] == {
        "versions": ["2.16.0"],
        "index": ["pypi"],
        **wheel,
        "compute_capability": ["7.5", "12.0"],
        "source": ["metadata", "arch-list"],
    }
    release = table(folder, "cuda")["release"][-1]
    assert (release["version"], release["driver"], release["source"][0]) == ("13.5.1", "620", "same-runtime")


def test_a_new_card_goes_to_its_chip_and_its_name_cannot_end_the_string(folder: Path) -> None:
    observed = {"pci-ids": copy.deepcopy(snapshot.load()["pci-ids"])}
    observed["pci-ids"]["facts"]["cards"] |= {"fffe": 'GB203 [RTX "6"\\\x07]', "ffff": "GX100 [Next]"}
    observed["pci-ids"]["facts"]["version"] = "2027.01.10"
    assert written(folder, observed) == ["chips.toml: 1 cards"]
    chips = {chip["name"]: chip["cards"] for chip in table(folder, "chips")["chip"]}
    assert chips["GB203"]["fffe"] == 'RTX "6"\\'
    assert "pci.ids of 2027-01-10" in table(folder, "chips")["sources"]["pci-ids"]
    assert table(folder, "chips")["as_of"] == TODAY


def test_the_newest_driver_of_a_branch_is_written_with_the_archive_that_has_it(folder: Path) -> None:
    observed = {"archive ubuntu noble": {"asked": "2027-01-15", "facts": {"drivers": ["535.309.01", "595.120.01"]}}}
    assert written(folder, observed) == [
        "drivers.toml: branch 595 is at 595.120.01",
        "drivers.toml: what ubuntu noble has",
    ]
    branches = {branch["name"]: branch for branch in table(folder, "drivers")["branch"]}
    assert branches["595"]["latest"] == "595.120.01" and "ubuntu" in branches["595"]["source"]
    offers = {(row["distribution"], row["suite"]): row["drivers"] for row in table(folder, "drivers")["offer"]}
    assert offers["ubuntu", "noble"] == ["535", "595"]
    assert "580" in offers["ubuntu", "jammy"]
