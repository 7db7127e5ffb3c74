"""The subcommand: its options, and the report on terminal, as JSON and as a page."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rigforge.doctor import nvml, page, workload
from rigforge.doctor.burn_in.charts import charts
from rigforge.doctor.burn_in.findings import clock, findings
from rigforge.doctor.burn_in.record import BurnInRecord
from rigforge.doctor.burn_in.run import run
from rigforge.doctor.check import EXIT_CODES, verdict
from rigforge.doctor.checks.kernel_log import xids
from rigforge.doctor.machine import Machine
from rigforge.doctor.signals import Interruption
from rigforge.doctor.terminal import as_text
from rigforge.doctor.workload.python import with_pytorch
from rigforge.errors import RigforgeError


def main(arguments: Sequence[str], machine: Machine | None) -> int:
    """Returns the exit code: the verdict's, or that of the signal that stopped it. Raises RigforgeError."""
    options = _options(arguments)
    if options.report:
        page.check_place(options.report)
    machine = machine or Machine(nvml.read())
    if not options.cpu and not machine.nvml.gpus:
        raise RigforgeError(
            f"there is no GPU in the driver ({machine.nvml.error or 'it has none'})", "rigforge-doctor says why"
        )
    python = with_pytorch(machine, options.python)
    if options.cpu:
        print("on the processor (--cpu): this tries the program, it does not test the machine", file=sys.stderr)
    interruption = Interruption()
    before = xids(machine)
    gpus = () if options.cpu else machine.nvml.gpus
    duration = options.minutes * 60
    progress = _Progress(duration)
    records, seconds = run(machine, gpus, python, duration, options.patience, interruption, progress.tell)
    progress.end()
    checks = findings(records, seconds, duration, (before, xids(machine)))
    status = verdict(checks)
    if options.report:
        facts = [python, f"{clock(seconds)} of {clock(duration)} minutes"]
        page.save(options.report, page.measurement(machine, "burn-in", status, checks, charts(records), facts))
    if options.json:
        answer = {
            "verdict": status,
            "interrupted": bool(interruption),
            "device": "cpu" if options.cpu else "gpu",
            "seconds": round(seconds, 1),
            "seconds_asked": duration,
            "python": python,
            "machine": machine.described(),
            "checks": [vars(check) for check in checks],
            "gpus": [record.described() for record in records],
        }
        print(json.dumps(answer, indent=2))
    else:
        print(as_text(machine, checks, status, colour=sys.stdout.isatty()), end="")
    return interruption.exit_code if interruption else EXIT_CODES[status]


class _Progress:
    """One line that changes on a terminal, one each minute elsewhere; on standard error."""

    def __init__(self, duration: float) -> None:
        self.wanted = duration
        self.terminal = sys.stderr.isatty()
        self.minute = -1

    def tell(self, seconds: float, records: Sequence[BurnInRecord]) -> None:
        if not self.terminal and int(seconds // 60) == self.minute:
            return
        self.minute = int(seconds // 60)
        devices = " · ".join(_now(record) for record in records)
        line = f"{clock(seconds)} of {clock(self.wanted)}  {devices}" if seconds else f"starting  {devices}"
        print(f"\r\x1b[K{line[:200]}" if self.terminal else line, end="" if self.terminal else "\n", file=sys.stderr)
        sys.stderr.flush()

    def end(self) -> None:
        if self.terminal:
            print(file=sys.stderr)


def _now(record: BurnInRecord) -> str:
    if record.trouble:
        return f"{record.label}: stopped"
    sample = record.samples[-1]
    words = [f"{sample.temperature} °C"] if sample.temperature is not None else []
    words += [f"{sample.power:.0f} W"] if sample.power is not None else []
    wrong = sum(done.wrong for done in record.formats.values()) + record.words_wrong
    return f"{record.label}: {' '.join([*words, f'{wrong} wrong'])}"


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="rigforge-doctor burn-in",
        description="Puts every GPU under full load, checks what it computes and remembers, and says how it went.",
        epilog="Ctrl-C ends it early, with the report so far.",
    )
    parser.add_argument("--minutes", type=workload.positive, default=10.0, metavar="N", help="how long (default: 10)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the report as one HTML file besides")
    workload.add_options(parser)
    return parser.parse_args(arguments)
