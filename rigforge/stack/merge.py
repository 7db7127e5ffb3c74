"""How the files that make up one stack are laid over each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: In an array: everything that the array below holds.
PARENT = "..."

#: Sections whose keys are names of the user's own, so that laying one over the other would mix two wishes.
_REPLACED_WHOLE = ("network",)


@dataclass(frozen=True)
class Source:
    """One file or option that says something about the stack; `where` names it in messages."""

    where: str
    table: Mapping[str, Any]


def merged(sources: Sequence[Source]) -> dict[str, Any]:
    """Returns the tables of all sources as one; the later source wins.

    Tables are joined key by key. Arrays replace the one below, and hold its items where they say "...".
    """
    result: dict[str, Any] = {}
    for source in sources:
        result = {
            **_joined(result, source.table),
            **{key: source.table[key] for key in _REPLACED_WHOLE if key in source.table},
        }
    return result


def origin(sources: Sequence[Source], location: Sequence[str | int]) -> str:
    """Returns the name of the source that the value at `location` is from.

    Where no source has it (it is missing), the one that has the most of the way there.
    """
    deepest, where = -1, ""
    for source in sources:
        if (depth := _depth(source.table, location)) >= max(deepest, 0):
            deepest, where = depth, source.where
    return where


def _joined(below: Any, above: Any) -> Any:
    if isinstance(above, Mapping):
        start = dict(below) if isinstance(below, Mapping) else {}
        return {**start, **{key: _joined(start.get(key), value) for key, value in above.items()}}
    if isinstance(above, list) and PARENT in above:
        inherited = below if isinstance(below, list) else []
        return [item for part in above for item in (inherited if part == PARENT else [part])]
    return above


def _depth(table: Any, location: Sequence[str | int]) -> int:
    """Counts the keys of `location` that `table` has; an array counts as one value, as it may be joined."""
    depth = 0
    for key in location:
        if not isinstance(table, Mapping) or key not in table:
            break
        table, depth = table[key], depth + 1
    return depth
