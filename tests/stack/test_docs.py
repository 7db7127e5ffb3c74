"""docs/stack.md explains every key there is, with the default it has, and its example works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from rigforge.paths import PROJECT
from rigforge.stack.load import load
from rigforge.stack.model import Stack
from rigforge.stack.settings import SHORT
from rigforge.stack.validation_errors import model_at
from tests.stack.stack_files import Write

TEXT = (PROJECT / "docs" / "stack.md").read_text(encoding="utf-8")
REFERENCE = TEXT[TEXT.index("## At the top") : TEXT.index("## --set")]
ROWS = dict(re.findall(r"^\| `([a-z_.]+)` \| (.*?) \|", REFERENCE, re.MULTILINE))


def fields(model: type[BaseModel] = Stack, location: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yields every key that is no table, with its default in the words of the documentation."""
    for name, field in model.model_fields.items():
        if inner := model_at(Stack, (*location, name)):
            yield from fields(inner, (*location, name))
        else:
            yield ".".join((*location, name)), "required" if field.is_required() else _shown(field.default)


def _shown(default: Any) -> str:
    match default:
        case bool():
            return f"`{str(default).lower()}`"
        case str():
            return f'`"{default}"`'
        case ():
            return "`[]`"
        case int():
            return f"`{default}`"
        case None:
            return "any"
    return "DHCP on every wired interface"


def test_every_key_has_its_row_with_its_default() -> None:
    wrong = [f"{key}: {ROWS.get(key)}, not {default}" for key, default in fields() if ROWS.get(key) != default]
    assert not wrong, "\n".join(wrong)


def test_there_is_no_row_of_a_key_that_is_gone() -> None:
    assert set(ROWS) == {key for key, _ in fields()} | {"storage.match"}


def test_every_short_form_is_explained() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| `([\w.]+)` \|", TEXT[TEXT.index("## --set") :], re.MULTILINE))
    assert rows == SHORT


def test_the_example_is_a_stack(write: Write) -> None:
    example, site = re.findall(r"```toml\n# (?:stacks/mine|site)\.toml\n(.*?)```", TEXT, re.DOTALL)
    stack = load(write("mine.toml", example), site=write("of-one.toml", site))
    assert stack.python.packages == (*load("debian-12").python.packages, "polars")
    assert stack.machine.hostname == "gpu1"
