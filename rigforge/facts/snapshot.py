"""The snapshot of what was seen when the places were asked, and since when nobody has looked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

from rigforge.compat.tables import read

TABLES = ("drivers", "cuda", "cudnn", "pytorch", "gpus", "chips")

#: After so many days somebody should look again.
STALE = timedelta(days=60)

#: Sources of the tables that the places stand for: these are asked, nobody has to look.
_ASKED = {"pytorch": {"metadata"}, "chips": {"pci-ids"}, "drivers": {"debian", "ubuntu"}, "cuda": {"components"}}


def load() -> dict[str, Any]:
    """Returns what was seen, by place: `asked` is the day (ISO 8601), `facts` what the place said."""
    observations: dict[str, Any] = json.loads((files(__package__) / "snapshot.json").read_text(encoding="utf-8"))
    return observations


def write(seen: Mapping[str, Any], file: Path) -> None:
    """Writes a snapshot, in an order and form that show in a diff what has changed."""
    file.write_text(json.dumps(seen, indent=1, sort_keys=False, ensure_ascii=False) + "\n", encoding="utf-8")


def places() -> dict[str, Any]:
    """Returns the table of what is asked, and where."""
    import tomllib

    return tomllib.loads((files(__package__) / "places.toml").read_text(encoding="utf-8"))


def unlooked(today: date, seen: Mapping[str, Any]) -> Iterator[str]:
    """Yields, in words, the sources and the places that nobody has looked at for long.

    A source was looked at on the table's `as_of`, or on its own day in the table's [looked].
    """
    for name in TABLES:
        table = read(name)
        for source in table["sources"].keys() - _ASKED.get(name, set()):
            last = table.get("looked", {}).get(source, table["as_of"])
            if today - last > STALE:
                yield f"{name}.toml, {source}: looked at {last}: {table['sources'][source]}"
    for place, observed in seen.items():
        last = date.fromisoformat(observed["asked"])
        if today - last > STALE:
            yield f"{place}: asked {last}"
