"""Results of a sweep: checks, a table, a chart, and the shape of the JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rigforge.doctor.chart import Chart, Mark, Series
from rigforge.doctor.check import Check, Topic
from rigforge.doctor.page import Table
from rigforge.doctor.tune.advice import Advice, scatter
from rigforge.doctor.tune.sweep import Point, Sweep

SWEEP = Topic("sweep", "Each setting was tried with the same training step.")
RESTORED = Topic("restored", "What was changed for the measuring must not stay.")
APPLIED = Topic("applied", "The driver forgets a limit at each start; a systemd unit sets it again.")

HEAD = ("setting", "drawn", "sequences/s", "speed", "per joule", "clock", "hottest", "clock held by")


@dataclass
class Result:
    """A GPU's sweep, how many settings it was to have, the advice from it, and what became of it with --apply."""

    sweep: Sweep
    asked: int
    advice: Advice | None
    applied: Check | None = None

    @property
    def label(self) -> str:
        return f"GPU {self.sweep.gpu.index}"

    def described(self) -> dict[str, object]:
        chosen = self.advice.chosen.setting if self.advice else None
        return {
            "index": self.sweep.gpu.index,
            "uuid": self.sweep.gpu.uuid,
            "name": self.sweep.gpu.name,
            "power_limit_before": _watts(self.sweep.before),
            "points": [_as_json(point) for point in self.sweep.points],
            "recommended": vars(chosen) if chosen else None,
            "words": list(self.advice.words) if self.advice else [],
            "applied": self.applied is not None and self.applied.status == "ok",
        }


def checks(results: Sequence[Result]) -> Iterator[Check]:
    if not results:
        yield SWEEP.not_applicable("stopped before anything was changed")
        return
    yield SWEEP.worst(_sweeps(results), "; ".join(f"{result.label}: {result.asked} settings" for result in results))
    limits = (f"{result.label}: {_before(result.sweep)}" for result in results)
    yield RESTORED.worst(_unrestored(results), "; ".join(limits))
    applied = [result.applied for result in results if result.applied]
    if applied:
        yield APPLIED.worst(applied, "; ".join(check.measured for check in applied))
    else:
        yield APPLIED.not_applicable("nothing was made permanent")


def table(result: Result) -> Table:
    advice = result.advice
    rows = [
        [f"{point.setting}{' ←' if advice and point is advice.chosen else ''}", *_cells(point, result.sweep.points[0])]
        for point in sorted(result.sweep.points, key=lambda point: (point.setting.kind, point.setting.value))
    ]
    return Table((f"{result.label} {HEAD[0]}", *HEAD[1:]), rows)


def as_text(result: Result) -> str:
    """Returns table and advice as lines."""
    cells = table(result)
    lines = [cells.head, *cells.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    rows = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    words = result.advice.words if result.advice else ("Two settings at least are needed for an advice.",)
    return "\n".join([*rows, "", *words, ""]) + "\n"


def chart(result: Result) -> Iterator[Chart]:
    series = []
    for colour, (kind, name) in enumerate((("power", "power limit"), ("clock", "highest clock"))):
        points = sorted(
            (p for p in result.sweep.points if p.setting.kind == kind and p.watts), key=lambda p: p.watts or 0
        )
        if points:
            places = [(point.watts or 0.0, point.speed) for point in points]
            series.append(Series(name, colour, places, [_mark(point, result) for point in points]))
    if series:
        yield Chart(f"{result.label}: speed and power", "sequences/s", "watts drawn; ○ recommended", series)


def _mark(point: Point, result: Result) -> Mark:
    cells = _cells(point, result.sweep.points[0])
    words = ", ".join((str(point.setting), f"{cells[0]} drawn", f"{cells[1]} sequences/s", f"{cells[2]} of the speed"))
    chosen = result.advice is not None and point is result.advice.chosen
    return Mark(point.watts or 0.0, point.speed, str(point.setting), words, chosen)


def _cells(point: Point, reference: Point) -> list[str]:
    return [
        "?" if point.watts is None else f"{point.watts:.0f} W",
        f"{point.speed:.4g}",
        f"{100 * point.speed / reference.speed:.1f} %",
        "?" if point.work is None else f"{point.work:.3g}",
        "?" if point.clock is None else f"{point.clock:.0f} MHz",
        "?" if point.temperature is None else f"{point.temperature} °C",
        point.held or "nothing",
    ]


def _sweeps(results: Sequence[Result]) -> Iterator[Check]:
    for result in results:
        done = f"{result.label}: {len(result.sweep.points)} of {result.asked} settings"
        if result.sweep.trouble:
            yield SWEEP.failed(f"{done}; {result.sweep.trouble}", result.sweep.hint)
        elif len(result.sweep.points) < result.asked:
            yield SWEEP.warning(f"{done}, then it was stopped", "run it again")
        elif chance := scatter(result.sweep.points):
            yield SWEEP.warning(
                f"{result.label}: {chance}", "end what else runs on the machine, or measure longer: --seconds 60"
            )


def _unrestored(results: Sequence[Result]) -> Iterator[Check]:
    for result in results:
        if result.sweep.unrestored:
            watts, uuid = _watts(result.sweep.before), result.sweep.gpu.uuid
            yield RESTORED.failed(
                f"{result.label}: not as before: {result.sweep.unrestored}",
                f"sudo nvidia-smi --id={uuid} --power-limit={watts:g}" if watts else f"nvidia-smi --id={uuid} --query",
            )


def _before(sweep: Sweep) -> str:
    watts = _watts(sweep.before)
    return f"{watts:g} W as before" if watts else "as before"


def _watts(milliwatts: int | None) -> float | None:
    return None if milliwatts is None else milliwatts / 1000


def _as_json(point: Point) -> dict[str, object]:
    return {**vars(point), "setting": vars(point.setting), "work": point.work}
