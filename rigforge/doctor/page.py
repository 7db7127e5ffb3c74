"""The report as one HTML file that needs nothing else, on a screen and on paper."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from rigforge.doctor.check import Check, Status
from rigforge.doctor.machine import Machine
from rigforge.doctor.nvml import Gpu

#: The worst first: it is what the page is opened for.
_ORDER: dict[Status, int] = {"failed": 0, "warning": 1, "ok": 2, "n/a": 3}


def as_page(machine: Machine, checks: Iterable[Check], verdict: Status) -> str:
    """Returns the page."""
    # Here, because no other way of asking needs it.
    import jinja2

    text = Path(__file__).with_name("report.html.j2").read_text()
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(text)
    ordered = sorted(checks, key=lambda check: _ORDER[check.status])
    return template.render(
        machine=machine.described(),
        verdict=verdict,
        time=time.strftime("%Y-%m-%d %H:%M %Z"),
        gpus=[_row(gpu) for gpu in machine.nvml.gpus],
        checks=[
            {**vars(check), "style": check.status.replace("/", ""), "fixes": [check.fix] if check.fix else []}
            for check in ordered
        ],
    )


def _row(gpu: Gpu) -> dict[str, object]:
    return {
        "index": gpu.index,
        "name": gpu.name or gpu.lost,
        "address": gpu.address,
        "memory": "" if gpu.memory is None else f"{gpu.memory / 1024**3:.0f} GiB",
        "temperature": "" if gpu.temperature is None else f"{gpu.temperature} °C",
        "power": "" if gpu.power is None else f"{gpu.power:.0f} of {gpu.power_limit or 0:.0f} W",
    }
