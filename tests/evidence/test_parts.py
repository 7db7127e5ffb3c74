"""Parts of the slow tests: each slow test is in one of them, and in no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rigforge.errors import UsageError
from rigforge.evidence import parts, table
from rigforge.paths import PROJECT

TESTS = PROJECT / "tests"
MARK = re.compile(r"\bmark\.(?:build|boot|docker|full)\b")


def slow_tests(file: Path) -> Iterator[str]:
    """Yields a file's slow tests as pytest names them below tests/, read from its source: importing takes seconds.

    Parameters are part of a name where the source has them as words.
    """
    body = ast.parse(file.read_text()).body
    of_all = any(MARK.search(line) for line in map(ast.unparse, body) if line.startswith("pytestmark = "))
    for function in body:
        if not isinstance(function, ast.FunctionDef) or not function.name.startswith("test_"):
            continue
        if of_all or any(MARK.search(ast.unparse(decorator)) for decorator in function.decorator_list):
            for case in [f"[{word}]" for word in words(function)] or [""]:
                yield f"{file.relative_to(TESTS)}::{function.name}{case}"


def words(function: ast.FunctionDef) -> list[str]:
    match [call for call in function.decorator_list if ast.unparse(call).startswith("pytest.mark.parametrize")]:
        case [ast.Call(args=[_, ast.List(elts=elements)])] if all(isinstance(one, ast.Constant) for one in elements):
            return [str(one.value) for one in elements if isinstance(one, ast.Constant)]
    return []


@pytest.fixture(scope="module")
def slow() -> list[str]:
    files = [file for file in sorted(TESTS.rglob("test_*.py")) if MARK.search(file.read_text())]
    return [test for file in files for test in slow_tests(file)]


def test_every_slow_test_is_in_one_part(slow: list[str]) -> None:
    of = {test: [part.name for part in parts.read().values() if part.has(test)] for test in slow}
    assert "end_to_end/test_full.py::test_it_installs_itself_and_the_machine_passes_its_tests[uefi]" in of
    assert {test: names for test, names in of.items() if len(names) != 1} == {}


def test_all_that_a_part_names_is_a_slow_test(slow: list[str]) -> None:
    named = [parts.Part(part.name, (name,)) for part in parts.read().values() for name in part.tests]
    assert [one.tests for one in named if not any(one.has(test) for test in slow)] == []


def test_parts_show_claims_that_there_are() -> None:
    assert {claim for part in parts.read().values() for claim in part.shows} <= set(table.claims())


def test_a_name_that_no_part_has_is_a_mistake_in_usage() -> None:
    with pytest.raises(UsageError) as refused:
        parts.named("debian-12-bois", parts.read())
    assert "did you mean debian-12-bios?" in refused.value.hint
    assert refused.value.exit_code == 2
