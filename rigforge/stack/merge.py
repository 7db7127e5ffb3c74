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
    greatest_depth, name = -1, ""
    for source in sources:
        if (depth := _depth(source.table, location)) >= max(greatest_depth, 0):
            greatest_depth, name = depth, source.where
    return name


def _joined(base: Any, overlay: Any) -> Any:
    if isinstance(overlay, Mapping):
        base_table = dict(base) if isinstance(base, Mapping) else {}
        return {**base_table, **{key: _joined(base_table.get(key), value) for key, value in overlay.items()}}
    if isinstance(overlay, list) and PARENT in overlay:
        base_items = base if isinstance(base, list) else []
        return [item for part in overlay for item in (base_items if part == PARENT else [part])]
    return overlay


def _depth(table: Any, location: Sequence[str | int]) -> int:
    """Counts the keys of `location` that `table` has; an array counts as one value, as it may be joined."""
    depth = 0
    for key in location:
        if not isinstance(table, Mapping) or key not in table:
            break
        table, depth = table[key], depth + 1
    return depth
