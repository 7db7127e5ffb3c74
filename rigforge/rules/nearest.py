"""The names that a mistyped one is nearest to."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

#: Characters of a name that are compared: that takes time by the square of the length.
_LONGEST = 100


def nearest(name: str, names: Iterable[str], *, most: int = 1, cutoff: float = 0.6) -> list[str]:
    """Returns at most `most` of `names`, the nearest first; `cutoff` is how alike they are at least, from 0 to 1."""
    return difflib.get_close_matches(name[:_LONGEST], list(names), n=most, cutoff=cutoff)
