"""Sizes as curtin reads them, which knows fewer spellings than people do."""

from __future__ import annotations

import re

UNITS = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}

_SIZE = re.compile(r"(?P<number>.*?)(?P<unit>[BKMGT]?)B?", re.DOTALL)


class NoSize(ValueError):
    """A text that curtin takes for no size, with the cure."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def size(text: str) -> int:
    """Returns the bytes that a text stands for. Raises NoSize.

    Curtin's rule (util.human2bytes): a number, a unit of B, K, M, G, T in upper case, and a B that counts for nothing.
    """
    read = _SIZE.fullmatch(text)
    assert read  # whatever is no unit is the number
    try:
        number = float(read["number"]) * UNITS[read["unit"]]
        whole = int(number)
    except (ValueError, OverflowError) as error:
        raise NoSize(f"{text!r} is no size", _meant(text)) from error
    if number < 0:
        raise NoSize(f"{text!r} cannot be negative", "all that is left is -1, a number without quotes and unit")
    if whole != number:
        raise NoSize(f"{text!r} is no whole number of bytes", "such as 512M or 20G")
    return whole


def share(text: str) -> int:
    """Returns the percentage that a text with a % stands for. Raises NoSize."""
    try:
        return int(text.removesuffix("%"))
    except ValueError as error:
        raise NoSize(f"{text!r} is no share", "a whole number, such as 50%") from error


def _meant(text: str) -> str:
    plain = re.fullmatch(r"\s*(?P<number>\d+(\.\d+)?)\s*(?P<unit>[kmgt])i?b?\s*", text, re.IGNORECASE)
    if plain:
        return f"did you mean {plain['number']}{plain['unit'].upper()}?"
    return "such as 512M, 20G, 50%, or the number -1 for all that is left"
