"""Events of the kernel's log besides numbered errors: why a card was not started, and which hardware failed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from rigforge.doctor.check import Check, Status, Topic
from rigforge.doctor.checks.xid import QUOTED
from rigforge.doctor.kernel_log import Log
from rigforge.doctor.machine import Machine

#: Where Rigforge and distributions have the public part of the key that they sign modules with.
KEYS = ("usr/share/rigforge/mok.der", "var/lib/shim-signed/mok/MOK.der", "var/lib/dkms/mok.pub")


@dataclass(frozen=True)
class Event:
    """A row of kernel_log.toml, which says what each field means. `rank` is its place in the file."""

    rank: int
    topic: str
    word: str
    pattern: re.Pattern[str]
    means: str
    status: Status
    cure: str
    source: str
    cleared: re.Pattern[str] | None = None
    unless: Literal["", "works", "loaded"] = ""
    always: bool = False
    card: bool = False
    earlier: bool = False


@dataclass(frozen=True)
class Hit:
    """An event that was seen: `line` is the first that told of it, `values` are the pattern's groups.

    `addresses` are the cards that it was seen at; where the line names none it is `common` to all, and they are those
    at which something followed from it. `works`: the driver has them now.
    """

    event: Event
    line: str
    values: Mapping[str, str]
    addresses: tuple[str, ...]
    ago: int
    works: bool = False
    common: bool = False


@cache
def events() -> tuple[Event, ...]:
    """Returns the table's rows in their order."""
    rows = []
    for rank, row in enumerate(_table()["event"]):
        patterns = {name: re.compile(row[name], re.ASCII) for name in ("pattern", "cleared") if name in row}
        rows.append(Event(rank, **{**row, **patterns}))
    return tuple(rows)


def not_started(topic: Topic, machine: Machine, logs: Iterable[Log]) -> Iterator[Check]:
    """Yields why cards were not started: at each card the first event of the file, from which the others follow.

    A line that names no card speaks for all of them.
    """
    cards = {card.address for card in machine.cards} or {gpu.address for gpu in machine.nvml.gpus}
    driver = machine.loaded is not None
    working = {gpu.address for gpu in machine.nvml.gpus if driver and not gpu.lost}
    causes: list[Hit] = []
    for hit in sorted(_hits(topic, logs, cards), key=lambda hit: hit.event.rank):
        works = bool(cards) and {*(hit.addresses or cards)} <= working
        if hit.ago or (hit.event.unless == "works" and works) or (hit.event.unless == "loaded" and driver):
            continue
        before = (one for one in causes if one.common or hit.common or one.addresses == hit.addresses)
        cause = next(before, None)
        if not cause:
            causes.append(replace(hit, works=works and not hit.event.always))
        elif cause.common and not {*hit.addresses} <= {*cause.addresses}:
            causes[causes.index(cause)] = replace(cause, addresses=(*cause.addresses, *hit.addresses))
    for hit in causes:
        yield _check(topic, machine, hit)


def failing(topic: Topic, machine: Machine, logs: Iterable[Log]) -> Iterator[Check]:
    """Yields which hardware failed, and which program was ended for want of memory: each once in a boot."""
    ports = {port for card in machine.cards for port in card.ports}
    reported: set[tuple[str, int, tuple[str, ...]]] = set()
    for hit in sorted(_hits(topic, logs, ports), key=lambda hit: (hit.ago, hit.event.rank)):
        this = (hit.event.means.format_map(hit.values), hit.ago, hit.addresses)
        if this not in reported and not (hit.ago and not hit.event.earlier):
            reported.add(this)
            yield _check(topic, machine, hit)


def _hits(topic: Topic, logs: Iterable[Log], ours: set[str]) -> list[Hit]:
    """Returns the events of a topic in the logs, the first line of each at each card."""
    mine = [event for event in events() if event.topic == topic.id]
    hits: dict[tuple[int, int, str], Hit] = {}
    for log in logs:
        for line in log.lines:
            for event in mine:
                if event.word not in line:
                    continue
                if event.cleared and (again := event.cleared.search(line)):
                    hits.pop((log.ago, event.rank, again["address"]), None)
                if match := event.pattern.search(line):
                    values = {name: value or "" for name, value in match.groupdict().items()}
                    address = values.get("address") or values.get("other") or ""
                    if address in ours or not event.card:
                        hit = Hit(event, line, values, (address,) if address else (), log.ago, common=not address)
                        hits.setdefault((log.ago, event.rank, address), hit)
                    break
    return list(hits.values())


def _check(topic: Topic, machine: Machine, hit: Hit) -> Check:
    table, event = _table(), hit.event
    step, error = (table["rm-init"][name].get(hit.values.get(name, "")) for name in ("step", "error"))
    values = {
        **hit.values,
        "reason": ": ".join(filter(None, (step, error))) or "for a reason that no table has",
        "kernel": machine.kernel,
        "room": _room(machine),
        "key": _key(machine),
    }
    at = f"{', '.join(hit.addresses)}: " if hit.addresses else ""
    now = "; the card works now" if hit.works else ""
    measured = f"{at}{Log((), hit.ago).when}{event.means.format_map(values)}: “{hit.line[:QUOTED]}”{now}"
    status: Status = "warning" if hit.works or hit.ago else event.status
    return Check(topic.id, status, measured, topic.why, event.cure.format_map(values))


def _room(machine: Machine) -> str:
    """Returns how a card gets room for its memory, in the words of the board's vendor where they are known."""
    vendor = machine.text("sys/class/dmi/id/board_vendor").lower()
    row = next((row for name, row in _table()["firmware"].items() if vendor.startswith(name.lower())), None)
    menu = f"{row['menu']} (so called on the {row['board']})" if row else "Above 4G Decoding"
    setup = f"in the firmware's setup switch on {menu}, and Resizable BAR; switch CSM off"
    if "pci=realloc" in machine.text("proc/cmdline").split():
        return f"{setup}; pci=realloc is on the kernel's command line already"
    return (
        f"{setup}; where it has none of them: sudo sed -i 's/^GRUB_CMDLINE_LINUX=\"/&pci=realloc /' /etc/default/grub "
        "&& sudo update-grub && sudo reboot"
    )


def _key(machine: Machine) -> str:
    """Returns how the kernel comes to trust the module."""
    key = next((key for key in KEYS if (machine.root / key).exists()), "")
    if not key:
        return "sign the module with a key that is enrolled, or switch Secure Boot off in the firmware's setup"
    return f"sudo mokutil --import /{key} && sudo reboot, then choose Enroll MOK on the blue screen"


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("kernel_log.toml").read_text())
