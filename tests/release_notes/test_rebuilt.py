"""Which layers another lock builds anew: those whose key in the plan is another one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.lock.model import Lock, read
from rigforge.paths import PROJECT
from rigforge.release_notes.rebuilt import Rebuilt, planned, rebuilt

STACKS = PROJECT / "stacks"
DEBIAN_12 = read(STACKS / "debian-12.lock")


def rebuilt_by(new: Lock) -> tuple[Rebuilt, ...]:
    return rebuilt(planned(DEBIAN_12, STACKS), planned(new, STACKS))


def test_the_same_lock_rebuilds_nothing() -> None:
    assert rebuilt_by(DEBIAN_12) == ()


def test_other_files_rebuild_their_layer_and_what_stands_on_it() -> None:
    files = tuple(replace(file, sha256="0" * 64) if file.name == "cmake" else file for file in DEBIAN_12.files)
    assert rebuilt_by(replace(DEBIAN_12, files=files)) == (
        Rebuilt("devel", files=True),
        Rebuilt("module", layers=("devel",)),
        Rebuilt("host", layers=("devel", "module")),
        Rebuilt("boot", layers=("host",)),
        Rebuilt("medium", layers=("host", "boot")),
    )


def test_another_kernel_rebuilds_the_module_the_machine_and_the_medium() -> None:
    new = replace(DEBIAN_12, versions={**DEBIAN_12.versions, "kernel": "6.1.0-57-amd64"})
    assert rebuilt_by(new) == (
        Rebuilt("module", options=("kernel",)),
        Rebuilt("host", options=("kernel",), layers=("module",)),
        Rebuilt("boot", options=("kernel",), layers=("host",)),
        Rebuilt("medium", layers=("host", "boot")),
    )


def test_a_lock_of_another_day_rebuilds_nothing() -> None:
    assert rebuilt_by(replace(DEBIAN_12, source_date_epoch=DEBIAN_12.source_date_epoch + 86400)) == ()


def test_a_point_release_rebuilds_everything() -> None:
    archives = tuple(replace(archive, date="Sat, 09 Jan 2027 09:00:00 UTC") for archive in DEBIAN_12.archives)
    anew = rebuilt_by(replace(DEBIAN_12, archives=archives))
    assert [layer.layer for layer in anew] == [layer.name for layer in planned(DEBIAN_12, STACKS)]
    assert all(layer.options == ("source_date_epoch",) for layer in anew)


def test_a_file_from_another_archive_rebuilds_nothing() -> None:
    files = tuple(replace(file, file=file.file.replace("debian-security:", "debian:")) for file in DEBIAN_12.files)
    assert rebuilt_by(replace(DEBIAN_12, files=files)) == ()


def test_a_layer_that_was_not_there_is_new() -> None:
    without = replace(DEBIAN_12, files=tuple(file for file in DEBIAN_12.files if file.layer != "devel"))
    anew = rebuilt(planned(without, STACKS), planned(DEBIAN_12, STACKS))
    assert [layer.layer for layer in anew if layer.is_new] == ["devel"]


def test_a_stack_beside_the_lock_comes_before_one_of_the_same_name_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "debian-12.toml").write_text('extends = "smoke"\n[services]\nenable = ["mine"]\n')
    (host,) = (layer for layer in planned(DEBIAN_12, tmp_path) if layer.name == "host")
    assert list(host.options_by_name["enable"]) == ["mine"]


def test_a_lock_whose_stack_is_nowhere_is_told(tmp_path: Path) -> None:
    with pytest.raises(RigforgeError, match='there is no stack "mine"'):
        planned(replace(DEBIAN_12, stack="mine"), tmp_path)
