"""The report as one HTML file that needs nothing else, on a screen and on paper."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rigforge.doctor.chart import Chart, drawn
from rigforge.doctor.check import Check, Status
from rigforge.doctor.machine import Machine
from rigforge.doctor.nvml import NvmlGpu
from rigforge.errors import RigforgeError
from rigforge.plain import in_page
from rigforge.rules.sizes import in_gib

#: The worst first: it is what the page is opened for.
_ORDER: dict[Status, int] = {"failed": 0, "warning": 1, "ok": 2, "n/a": 3}


@dataclass(frozen=True)
class Table:
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def as_page(machine: Machine, checks: Iterable[Check], verdict: Status) -> str:
    """Returns the page of the checks."""
    return _html(
        "report.html.j2",
        machine=machine.described(),
        verdict=verdict,
        gpus=[_row(gpu) for gpu in machine.nvml.gpus],
        checks=_worst_first(checks),
    )


def measurement(
    machine: Machine,
    what: str,
    verdict: Status,
    checks: Iterable[Check],
    charts: Iterable[Chart],
    facts: Sequence[str],
    words: Sequence[str] = (),
    tables: Sequence[Table] = (),
) -> str:
    """Returns the page of something that was measured over time: checks, paragraphs, charts and tables."""
    return _html(
        "measurement.html.j2",
        machine=machine.described(),
        what=what,
        verdict=verdict,
        checks=_worst_first(checks),
        charts=[drawn(chart) for chart in charts],
        facts=facts,
        words=words,
        tables=[vars(table) for table in tables],
    )


def check_place(path: Path) -> None:
    """Raises RigforgeError where a page could not be saved, before minutes are spent on measuring."""
    if not path.parent.is_dir() or path.is_dir() or not os.access(path.parent, os.W_OK):
        raise RigforgeError(f"--report: {path} cannot be written", "name a file in a folder that can be written")


def save(path: Path, page: str) -> None:
    """Writes the page. Raises RigforgeError."""
    try:
        path.write_text(page)
    except OSError as error:
        raise RigforgeError(f"--report: {error}", "name a file that can be written") from error


def _html(name: str, **values: object) -> str:
    # Here, because no other way of asking needs it.
    import jinja2

    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, finalize=in_page)
    return environment.get_template(name).render(time=time.strftime("%Y-%m-%d %H:%M %Z"), **values)


def _worst_first(checks: Iterable[Check]) -> list[dict[str, object]]:
    return [
        {**vars(check), "style": check.status.replace("/", ""), "fixes": [check.fix] if check.fix else []}
        for check in sorted(checks, key=lambda check: _ORDER[check.status])
    ]


def _row(gpu: NvmlGpu) -> dict[str, object]:
    return {
        "index": gpu.index,
        "name": gpu.name or gpu.lost,
        "address": gpu.address,
        "memory": "" if gpu.memory is None else in_gib(gpu.memory, 0),
        "temperature": "" if gpu.temperature is None else f"{gpu.temperature} °C",
        "power": "" if gpu.power is None else f"{gpu.power:.0f} of {gpu.power_limit or 0:.0f} W",
    }
