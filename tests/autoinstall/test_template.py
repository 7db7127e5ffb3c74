"""Values that go into a template arrive in the YAML as they were."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from rigforge.autoinstall.template import as_yaml


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "",
        "yes",
        "12",
        "null",
        "2026-01-01",
        "a: b # c",
        "{{ x }} %} *&!|>'\"\\",
        "two\nlines\tand\x07bell",
        "Förge ☃ 😀",
        "\x7f\x85\u2028\u2029\ufeff\xa0",
        ["a", ["b", "c: d"]],
        {"key: x": {"n": 1, "flag": True, "none": None, "float": 1.5}},
        [],
        {},
    ],
)
def test_every_value_survives(value: Any) -> None:
    assert yaml.safe_load(f"key: {as_yaml(value)}\nnext: 1\n") == {"key": value, "next": 1}


def test_a_value_is_one_line_of_ascii() -> None:
    text = as_yaml("two\nlines\u2028😀")
    assert text.isascii() and "\n" not in text
