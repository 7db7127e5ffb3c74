"""Errors of GPUs (Xid) and NVSwitches (SXid) in the kernel's log: what each means, and what NVIDIA asks to be done."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from rigforge.doctor import kernel_log
from rigforge.doctor.check import Check, Status, Topic
from rigforge.doctor.kernel_log import Log
from rigforge.doctor.machine import Machine

#: What a line with an error has.
WORDS = ("Xid (", "fallen off the bus")

#: Characters of a line that is quoted.
QUOTED = 160

#: "NVRM: Xid (PCI:0000:01:00): 79, pid=…, GPU has fallen off the bus."; with MIG "(PCI:0000:01:00 GPU-I:05)".
_XID = re.compile(
    r"NVRM: Xid \((?:PCI:)?(?P<address>[\da-fA-F:.]{1,16})[^)]{0,40}\): (?P<number>\d{1,5})(?!\d)", re.ASCII
)
#: "nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 20034, Fatal, Link 30 LTSSM Fault Up"
_SXID = re.compile(r"SXid \((?:PCI:)?(?P<address>[\da-fA-F:.]{1,16})\): (?P<number>\d{1,5})(?!\d)", re.ASCII)
_FALLEN = re.compile(r"NVRM: GPU (?P<address>[\da-fA-F:.]{1,16}): GPU has fallen off the bus", re.ASCII)
#: "154, GPU recovery action changed from 0x0 (None) to 0x2 (Node Reboot Required)"
_RECOVERY = re.compile(r"recovery action changed from .{0,80}? to 0x[\da-f]{1,8} \((?P<asked>[^)]{1,60})\)")
_NOT_FATAL = re.compile(r"\bnon-?fatal\b", re.IGNORECASE)

_TOLD, _FALLEN_OFF = 154, 79
#: Of a line that has no number.
_FALLEN_TOLD = "fallen"
#: Of an error of NVLink or NVSwitch whose line says so.
_NOT_FATAL_TOLD = "nonfatal"


@dataclass(frozen=True)
class Fault:
    """An error at an address on the PCI bus. `told` is what its line adds to the number: "Node Reboot Required" of
    Xid 154, "nonfatal" of an error of NVLink or NVSwitch. `line` is the first such line.
    """

    kind: Literal["xid", "sxid"]
    address: str
    number: int
    told: str = ""
    line: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        return f"{'Xid' if self.kind == 'xid' else 'SXid'} {self.number}"


#: How often each error was seen, in the order in which they were seen last.
Xids = Counter[Fault]


@dataclass(frozen=True)
class _Action:
    rank: int
    asks: str
    status: Status
    cure: str
    afterwards: str


@dataclass(frozen=True)
class _Meaning:
    means: str
    action: str
    status: Status
    quiet: bool = False


@dataclass(frozen=True)
class _Card:
    address: str
    serious: bool
    text: str


def xids(machine: Machine) -> Xids | None:
    """Returns the errors in the kernel's log of this boot; None where it cannot be read."""
    logs = kernel_log.read(machine, WORDS, before=0)
    return of_logs(logs) if logs else None


def of_logs(logs: Iterable[Log]) -> Xids:
    """Returns the errors of one boot: what two of its logs have counts once."""
    counts: Xids = Counter()
    for log in logs:
        counts |= _of_lines(log.lines)
    return counts


def decoded(topic: Topic, xids: Xids, ago: int = 0) -> list[Check]:
    """Returns what the errors mean, the worst first: one check for all cards that need the same.

    `ago` is how many boots ago they were: of those that is said what is left to do, and only where it was serious.
    """
    alike: dict[tuple[int, str, str], list[_Card]] = {}
    for address in dict.fromkeys(fault.address for fault in xids):
        read = {fault: _meaning(fault) for fault in xids if fault.address == address}
        read = {fault: meaning for fault, meaning in read.items() if not meaning.quiet}
        serious = any(meaning.status == "failed" for meaning in read.values())
        if not read or (ago and not serious):
            continue
        kind = next(iter(read)).kind
        worst = min(read, key=lambda fault: (read[fault].status != "failed", _rank(kind, read[fault].action)))
        actions = [meaning.action for fault, meaning in read.items() if kind == "xid" and fault.number == _TOLD]
        action = actions[-1] if actions else read[worst].action
        listed = "; ".join(f"{fault.name} ×{xids[fault]}, {meaning.means}" for fault, meaning in read.items())
        card = _Card(address, serious, f"{address}: {Log((), ago).when}{listed}: “{worst.line[:QUOTED]}”")
        alike.setdefault((_rank(kind, action), kind, action), []).append(card)
    return [_check(topic, _actions(kind)[action], cards, ago) for (_, kind, action), cards in sorted(alike.items())]


def _check(topic: Topic, action: _Action, cards: list[_Card], ago: int) -> Check:
    gpus = ",".join(card.address if "." in card.address else f"{card.address}.0" for card in cards)
    cure = (action.afterwards if ago else action.cure).format(gpus=gpus)
    status: Status = "failed" if not ago and any(card.serious for card in cards) else "warning"
    measured = "; ".join([*(card.text for card in cards), f"NVIDIA asks for {action.asks}"])
    return Check(topic.id, status, measured, topic.why, cure)


def _of_lines(lines: Iterable[str]) -> Xids:
    counts: Xids = Counter()
    for line in lines:
        if fault := _fault(line):
            # Put at the end again: of several words of the driver the last counts.
            counts[fault] = counts.pop(fault, 0) + 1
    numbered = {fault.address for fault in counts if fault.number == _FALLEN_OFF and fault.told != _FALLEN_TOLD}
    return Counter(
        {fault: n for fault, n in counts.items() if fault.told != _FALLEN_TOLD or fault.address not in numbered}
    )


def _fault(line: str) -> Fault | None:
    if match := _XID.search(line):
        number = int(match["number"])
        recovery = _RECOVERY.search(line) if number == _TOLD else None
        action = recovery["asked"] if recovery else _NOT_FATAL_TOLD if _NOT_FATAL.search(line) else ""
        return Fault("xid", match["address"].lower(), number, action, line)
    if match := _SXID.search(line):
        action = _NOT_FATAL_TOLD if _NOT_FATAL.search(line) else ""
        return Fault("sxid", match["address"].lower(), int(match["number"]), action, line)
    if match := _FALLEN.search(line):
        return Fault("xid", match["address"].lower().partition(".")[0], _FALLEN_OFF, _FALLEN_TOLD, line)
    return None


def _meaning(fault: Fault) -> _Meaning:
    table, actions = _table(fault.kind), _actions(fault.kind)
    row: dict[str, Any] | None = table[fault.kind].get(str(fault.number))
    if row is None:
        return _Meaning(f"an error that no table of {table['as_of']} has", "not-known", "warning")
    if row["action"] == "told":
        action = table["recovery"].get(fault.told, "contact")
        return _Meaning(f"the driver itself asks for: {fault.told or 'nothing'}", action, actions[action].status)
    linked = fault.kind == "sxid" or row["action"] == "nvlink"
    action = "none" if linked and fault.told == _NOT_FATAL_TOLD else row["action"]
    status: Status = "failed" if row.get("severe") else actions[action].status
    return _Meaning(row["means"], action, status, row.get("quiet", False))


def _rank(kind: str, action: str) -> int:
    return _actions(kind)[action].rank


@cache
def _actions(kind: str) -> dict[str, _Action]:
    return {name: _Action(rank, **row) for rank, (name, row) in enumerate(_table(kind)["actions"].items())}


@cache
def _table(kind: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(f"{kind}.toml").read_text())
