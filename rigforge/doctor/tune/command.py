"""The subcommand: says what it is about to do, asks, sweeps, advises, and makes the choice last only when told to."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rigforge.doctor import nvml, page, workload
from rigforge.doctor.check import EXIT_CODES, Check, verdict
from rigforge.doctor.machine import Machine
from rigforge.doctor.nvml import NvmlGpu
from rigforge.doctor.signals import Interruption
from rigforge.doctor.terminal import as_text
from rigforge.doctor.tune import limits, report, unit
from rigforge.doctor.tune.advice import advice, scatter, setting_of
from rigforge.doctor.tune.guard import guarded
from rigforge.doctor.tune.report import APPLIED, Result
from rigforge.doctor.tune.setting import TuneSetting, settings
from rigforge.doctor.tune.sweep import sweep
from rigforge.doctor.workload.process import Worker
from rigforge.doctor.workload.python import with_pytorch
from rigforge.errors import RigforgeError


def main(arguments: Sequence[str], machine: Machine | None) -> int:
    """Returns the exit code: the verdict's, or that of the signal that stopped it. Raises RigforgeError."""
    options = _options(arguments)
    machine = machine or Machine(nvml.read())
    if options.undo:
        return _undo(machine)
    if options.report:
        page.check_place(options.report)
    if options.apply:
        unit.check(machine)
    limited = {"clocks": options.clocks, "most": options.at_most, "points": options.points}
    plan = [(gpu, settings(gpu, **limited)) for gpu in _gpus(machine, options.gpu)]
    if not any(tried for _, tried in plan):
        raise RigforgeError("the driver tells of no limit that could be changed", "cards of laptops have fixed limits")
    python = with_pytorch(machine, options.python)
    print(_announcement(plan, options), file=sys.stderr)
    if not (options.yes or options.apply) and not _agreed():
        print("Nothing was changed.", file=sys.stderr)
        return EXIT_CODES["ok"]
    interruption = Interruption()
    results = _results(machine, plan, python, options, interruption)
    if options.apply and not interruption:
        for result in results:
            result.applied = _check_of_unit(machine, result)
    return _report(machine, results, python, options, interruption)


def _results(
    machine: Machine,
    plan: Sequence[tuple[NvmlGpu, Sequence[TuneSetting]]],
    python: str,
    options: argparse.Namespace,
    interruption: Interruption,
) -> list[Result]:
    """Returns the results of one GPU after the other."""
    results = []
    with nvml.kept_open():
        before = {gpu.uuid: limits.power_limit(gpu.uuid) for gpu, tried in plan if tried}
    with guarded(before, clocks=options.clocks), nvml.kept_open():
        for gpu, tried in plan:
            if not tried or interruption:
                continue

            def tell(setting: TuneSetting, gpu: NvmlGpu = gpu) -> None:
                print(f"GPU {gpu.index} at {setting} …", file=sys.stderr, flush=True)

            worker = partial(
                Worker,
                python,
                "train",
                "cpu" if options.cpu else "cuda",
                machine.program_environment,
                uuid=gpu.uuid,
                patience=options.patience,
            )
            result = sweep(gpu, tried, worker, options.seconds, interruption, tell)
            results.append(Result(result, len(tried), advice(result.points, options.keep / 100)))
    return results


def _check_of_unit(machine: Machine, result: Result) -> Check:
    """Makes the recommended setting last, and looks whether the driver has it."""
    gpu = result.sweep.gpu
    if not result.advice or result.sweep.trouble or result.sweep.unrestored or scatter(result.sweep.points):
        return APPLIED.failed(f"{result.label}: not from such a sweep", "cure what is wrong with it, and run it again")
    setting = setting_of(result.advice, gpu.power_default)
    if not setting:
        return APPLIED.ok(f"{result.label}: the default is best, no unit is needed")
    try:
        file = unit.install(machine, gpu.uuid, setting)
    except RigforgeError as error:
        return APPLIED.failed(f"{result.label}: {error.message}", error.hint)
    with nvml.kept_open():
        now = limits.power_limit(gpu.uuid)
    if setting.kind == "power" and now != setting.value * 1000:
        text = f"{result.label}: {file.name} is there, and the limit is {(now or 0) / 1000:g} W"
        return APPLIED.failed(text, f"journalctl --unit {file.name}")
    if gpu.persistence is False:
        text = f"{result.label}: {setting}, until the last program that uses the GPU ends"
        return APPLIED.warning(text, "sudo systemctl enable --now nvidia-persistenced, then restart " + file.name)
    return APPLIED.ok(f"{result.label}: {setting} now and at each start ({file.name})")


def _report(
    machine: Machine, results: Sequence[Result], python: str, options: argparse.Namespace, interruption: Interruption
) -> int:
    checks = tuple(report.checks(results))
    status = verdict(checks)
    if options.report:
        words = [f"{result.label}: {word}" for result in results if result.advice for word in result.advice.words]
        charts = [chart for result in results for chart in report.chart(result)]
        tables = [report.table(result) for result in results if result.sweep.points]
        text = page.measurement(machine, "tune", status, checks, charts, [python], words, tables)
        page.save(options.report, text)
    if options.json:
        answer = {
            "verdict": status,
            "interrupted": bool(interruption),
            "device": "cpu" if options.cpu else "gpu",
            "keep_percent": options.keep,
            "python": python,
            "machine": machine.described(),
            "checks": [vars(check) for check in checks],
            "gpus": [result.described() for result in results],
        }
        print(json.dumps(answer, indent=2))
    else:
        print("".join(report.as_text(result) + "\n" for result in results if result.sweep.points), end="")
        print(as_text(machine, checks, status, colour=sys.stdout.isatty()), end="")
    return interruption.exit_code if interruption else EXIT_CODES[status]


def _undo(machine: Machine) -> int:
    """Takes the units away and sets the cards' default limits."""
    uuids = {gpu.uuid for gpu in machine.nvml.gpus}
    units = list(unit.applied(machine))
    for uuid, file in units:
        clocks = "--lock-gpu-clocks" in machine.text(str(file.relative_to(machine.root)))
        unit.remove(machine, file)
        if uuid not in uuids:
            print(f"{uuid}: the unit is gone; the card is not in this machine")
            continue
        with nvml.kept_open():
            watts = limits.reset(uuid, clocks=clocks) / 1000
        print(f"{uuid}: the unit is gone; the limit is {watts:g} W, the card's default")
    if not units:
        print("There is no unit of tune's on this machine; nothing was changed.")
    return EXIT_CODES["ok"]


def _gpus(machine: Machine, names: Sequence[str]) -> list[NvmlGpu]:
    gpus = [gpu for gpu in machine.nvml.gpus if not gpu.lost and gpu.uuid]
    if not gpus:
        why = machine.nvml.error or "it has none that answers"
        raise RigforgeError(f"there is no GPU in the driver ({why})", "rigforge-doctor says why")
    if unknown := [name for name in names if not any(name in (str(gpu.index), gpu.uuid) for gpu in gpus)]:
        choices = ", ".join(f"{gpu.index} ({gpu.uuid})" for gpu in gpus)
        raise RigforgeError(f"--gpu: there is no {unknown[0]}", f"there are {choices}")
    return [gpu for gpu in gpus if not names or str(gpu.index) in names or gpu.uuid in names]


def _announcement(plan: Sequence[tuple[NvmlGpu, Sequence[TuneSetting]]], options: argparse.Namespace) -> str:
    """Returns what is about to be done."""
    lines = []
    for gpu, tried in plan:
        now = f"limit now {gpu.power_limit or 0:g} W"
        if gpu.power_range:
            now += f", the card allows {gpu.power_range[0]:g} to {gpu.power_range[1]:g} W"
        what = ", ".join(map(str, tried)) if tried else "nothing: its limits are fixed"
        lines.append(f"GPU {gpu.index} ({gpu.name}, {now}) trains at {what}.")
    more = [gpu for gpu, tried in plan if any(_above_default(gpu, setting) for setting in tried)]
    if more:
        lines.append("Above the default limit the power supply must bear it; --at-most WATTS leaves that out.")
    minutes = sum(len(tried) for _, tried in plan) * options.seconds / 60
    lines.append(f"This takes about {minutes:.0f} minutes and needs root. Each setting holds while it is measured;")
    lines.append("at the end, at Ctrl-C and when the work dies, the limits are put back to what they are now.")
    if options.clocks:
        lines.append("A lock of the clocks that you set yourself (nvidia-smi -lgc) is gone afterwards: the driver does")
        lines.append("not tell it.")
    if options.apply:
        lines.append(f"The recommended setting is then made permanent by a systemd unit ({unit.PREFIX}UUID.service).")
    if options.cpu:
        lines.append("The processor does the work (--cpu): this tries the program, the figures mean nothing.")
    return "\n".join(lines)


def _above_default(gpu: NvmlGpu, setting: TuneSetting) -> bool:
    return setting.kind == "power" and setting.value > (gpu.power_default or 0)


def _agreed() -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise RigforgeError("nothing was measured or changed: nobody was there to be asked", "say it with --yes")
    print("Change the limits for that time? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="rigforge-doctor tune",
        description="Measures how fast each GPU trains at which power limit, and recommends one.",
        epilog="Without --apply all limits are, at the end, what they were before.",
    )
    parser.add_argument("--gpu", action="append", default=[], metavar="INDEX|UUID", help="only this one; repeatable")
    parser.add_argument("--keep", type=workload.positive, default=95.0, metavar="PERCENT", help="speed to keep (95)")
    parser.add_argument("--seconds", type=workload.positive, default=20.0, metavar="N", help="for each setting (20)")
    parser.add_argument(
        "--at-most", type=workload.positive, default=math.inf, metavar="WATTS", help="try no power limit above this"
    )
    parser.add_argument("--points", type=int, default=0, metavar="N", help="try so many settings at most (all)")
    parser.add_argument("--clocks", action="store_true", help="try lower clocks too, where the driver allows it")
    parser.add_argument("--yes", action="store_true", help="change the limits for the measuring without asking")
    parser.add_argument("--apply", action="store_true", help="measure, then make the recommended setting permanent")
    parser.add_argument("--undo", action="store_true", help="take back what --apply did, and set the card's default")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the report as one HTML file besides")
    workload.add_options(parser)
    return parser.parse_args(arguments)
