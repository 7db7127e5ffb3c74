"""What `invoke facts` does and prints: what is new, what disagrees, what did not answer, what nobody has looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path

from rigforge.compat.tables import tables
from rigforge.facts import pypi, snapshot, write
from rigforge.facts.compare import Discrepancy, differences
from rigforge.facts.places import Answers, ask_all
from rigforge.sources.mirrors import Mirrors
from rigforge.sources.web import session


@dataclass(frozen=True)
class Comparison:
    """Lines to print; `good` where nothing disagrees and all that was asked has answered."""

    lines: tuple[str, ...]
    good: bool


def run(ask: bool, update: bool, say: Callable[[str], None]) -> Comparison:
    """Compares the tables with the snapshot, or (`ask`) with what the places say now; `update` writes what is new."""
    today, places = date.today(), snapshot.places()
    recorded = snapshot.load()
    answers = ask_all(tables(), places, today, lambda place: say(f"asking: {place}")) if ask else Answers(recorded, {})
    discrepancies = differences(tables(), answers.seen, places)
    written: tuple[str, ...] = ()
    if update:
        folder = Path(str(files("rigforge.compat")))
        written = tuple(write.write_all(folder, tables(), answers.seen, today, _architectures))
        snapshot.write({**recorded, **answers.seen}, Path(str(files("rigforge.facts"))) / "snapshot.json")
    return Comparison(
        (
            *_section("new", [each for each in discrepancies if each.kind == "new"]),
            *_section("disagrees", [each for each in discrepancies if each.kind == "disagrees"]),
            *(_section("did not answer", _told(answers)) if ask else ("asked: nothing, this is the snapshot",)),
            *_section(
                f"not looked at for {snapshot.STALE.days} days",
                sorted(snapshot.unlooked(today, {**recorded, **answers.seen})),
            ),
            *(_section("written", written) if update else ()),
        ),
        not answers.unanswered and not any(each.kind == "disagrees" for each in discrepancies),
    )


def _section(title: str, items: list[Discrepancy] | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return (f"{title}: {len(items) or 'nothing'}", *(f"  {item}" for item in items))


def _told(answers: Answers) -> list[str]:
    return [f"{place}: {why}" for place, why in answers.unanswered.items()]


def _architectures(version: str) -> tuple[str, ...]:
    index = pypi.PackageIndex(Mirrors.from_environment().url("pypi"), session())
    wheels = index.wheels("torch")
    (urls,) = (files for each, files in wheels.items() if str(each) == version)
    return index.architectures(next(iter(urls.values())))
