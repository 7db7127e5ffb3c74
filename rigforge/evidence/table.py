"""README's table of what was run for real, made of the claims and the records."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rigforge.errors import RigforgeError
from rigforge.evidence import parts, record
from rigforge.evidence.parts import FOLDER, Part
from rigforge.evidence.record import Record

#: Lines around the table in a document.
START, END = "<!-- What was run: written by `invoke evidence` -->", "<!-- end -->"


@dataclass(frozen=True)
class Claim:
    """A row: what was run by hand, until records show it; besides them; and what was not run. Markdown."""

    subject: str
    by_hand: str
    not_run: str
    besides: str = ""


def claims(folder: Path = FOLDER) -> dict[str, Claim]:
    """Returns all claims by name, in the order of claims.toml."""
    table = tomllib.loads((folder / "claims.toml").read_text(encoding="utf-8"))
    return {name: Claim(**row) for name, row in table.items()}


def table(folder: Path = FOLDER) -> str:
    """Returns the table of a folder's claims and records, as Markdown."""
    showing, records = parts.read(folder).values(), record.all_in(folder)
    rows = [
        (claim.subject, run_for_real(name, claim, showing, records), claim.not_run)
        for name, claim in claims(folder).items()
    ]
    lines = ["".join(f"| {cell} " if cell else "| " for cell in row) + "|" for row in rows]
    return "\n".join(["| | run for real | not run |", "|---|---|---|", *lines])


def run_for_real(name: str, claim: Claim, showing: Iterable[Part], records: Mapping[str, Record]) -> str:
    """Returns a claim's second column: of the records where each part that shows it has one, else what is by hand.

    A record of a run in which not all passed shows nothing, and is told.
    """
    runs = [(part.shows[name], records.get(part.name)) for part in showing if name in part.shows]
    proofs = [f"{what} ({_link(run)})" for what, run in runs if run and run.proves]
    failed = [f"**not shown on {_link(run)}**: {what}" for what, run in runs if run and not run.proves]
    if not runs or not all(run for _, run in runs):
        return "; ".join([claim.by_hand, *failed])
    return "; ".join([*proofs, *([f"by hand: {claim.besides}"] if claim.besides else []), *failed])


def put(document: str, text: str) -> str:
    """Returns a document with another table between START and END. Raises RigforgeError where it has not both."""
    before, start, rest = document.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise RigforgeError("the document has no place for the table", f"put it between the lines {START} and {END}")
    return f"{before}{START}\n{text}\n{END}{after}"


def _link(run: Record) -> str:
    return f"[{run.date}](evidence/records/{run.part}.json)"
