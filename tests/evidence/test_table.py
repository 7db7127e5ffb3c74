"""README's table of what was run for real says what the records show, and no more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.evidence import record, table
from rigforge.evidence.record import Case, Host, Record
from rigforge.paths import PROJECT

PARTS = """
[machine-bios]
tests = ["test_machine.py::test_bios"]
shows = { installed = "under BIOS" }
[machine-uefi]
tests = ["test_machine.py::test_uefi"]
shows = { installed = "under UEFI" }
"""

CLAIMS = """
[installed]
subject = "installed"
by_hand = "everything"
besides = "on a laptop"
not_run = "in space"
[read]
subject = "read"
by_hand = "twice"
not_run = ""
"""

BIOS = Record("machine-bios", 40 * "a", "2026-12-01", Host(2, 8.0, False), 9.5, 4.0, (Case("t", "passed", 9.0, {}),))
UEFI = replace(BIOS, part="machine-uefi", date="2026-12-02")
FAILED = replace(UEFI, cases=(Case("t", "passed", 1.0, {}), Case("u", "failed", 1.0, {})))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parts.toml").write_text(PARTS)
    (tmp_path / "claims.toml").write_text(CLAIMS)
    return tmp_path


def row(folder: Path, *records: Record) -> str:
    for one in records:
        record.write(one, folder)
    return table.table(folder).splitlines()[2]


def test_the_readme_has_the_table_of_the_records() -> None:
    readme = (PROJECT / "README.md").read_text()
    assert table.put(readme, table.table()) == readme, "run `invoke evidence`"


def test_what_was_run_by_hand_holds_while_a_part_has_no_record(folder: Path) -> None:
    assert row(folder) == "| installed | everything | in space |"
    assert row(folder, BIOS) == "| installed | everything | in space |"


def test_records_of_all_parts_take_the_place_of_what_was_run_by_hand(folder: Path) -> None:
    bios, uefi = "[2026-12-01](evidence/records/machine-bios.json)", "[2026-12-02](evidence/records/machine-uefi.json)"
    shown = f"under BIOS ({bios}); under UEFI ({uefi}); by hand: on a laptop"
    assert row(folder, BIOS, UEFI) == f"| installed | {shown} | in space |"


@pytest.mark.parametrize("run", [FAILED, replace(UEFI, commit=UEFI.commit + "-dirty"), replace(UEFI, cases=())])
def test_a_run_that_shows_nothing_is_told(run: Record, folder: Path) -> None:
    cell = row(folder, BIOS, run)
    assert "under UEFI (" not in cell
    assert "**not shown on [2026-12-02](evidence/records/machine-uefi.json)**: under UEFI" in cell


def test_a_row_without_a_part_is_as_it_was_written(folder: Path) -> None:
    assert table.table(folder).splitlines()[3] == "| read | twice | |"


def test_the_rest_of_a_document_stays_as_it_is() -> None:
    assert table.put(f"a\n{table.START}\nold\n{table.END}\nb", "new") == f"a\n{table.START}\nnew\n{table.END}\nb"
    with pytest.raises(RigforgeError, match="no place for the table"):
        table.put("a", "new")
