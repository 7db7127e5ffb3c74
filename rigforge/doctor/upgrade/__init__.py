"""`rigforge-doctor upgrade`: kernel and driver go on together, or not at all, and there is a way back."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rigforge.doctor.machine import Machine
from rigforge.doctor.nvml import Nvml

if TYPE_CHECKING:
    from rigforge.doctor.upgrade.runner import Runner


def main(arguments: Sequence[str], machine: Machine | None = None) -> int:
    """Returns the exit code: 0 done or nothing to do, 1 what is offered cannot be had as a pair, 2 it failed."""
    options = _options(arguments)
    machine = machine or Machine(Nvml())  # the GPUs are not asked: the driver may be what is broken
    from rigforge.doctor.upgrade.runner import UpgradeError

    try:
        return _plan(machine, options) if options.plan else _change(machine, options)
    except UpgradeError as failure:
        print(f"rigforge-doctor upgrade: {failure}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _plan(machine: Machine, options: argparse.Namespace) -> int:
    from rigforge.doctor.upgrade import plan

    if options.refresh:
        _doing(machine).run("apt-get", "--quiet", "update")
    upgrade = plan.make(machine, without_fallback=options.without_fallback)
    print(json.dumps(upgrade.described(), indent=2) if options.json else plan.as_text(upgrade), end="\n" * options.json)
    return plan.EXIT_CODES[upgrade.status]


def _change(machine: Machine, options: argparse.Namespace) -> int:
    from rigforge.doctor.upgrade import plan, rollback_store
    from rigforge.doctor.upgrade.apply import apply
    from rigforge.doctor.upgrade.rollback import put_back
    from rigforge.doctor.upgrade.runner import UpgradeError

    doing = _doing(machine)
    # A connection that breaks must not stop dpkg in the middle.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if options.back:
        record = rollback_store.read(machine)
        if not record:
            raise UpgradeError("there is nothing to go back to: no upgrade was made, or it was taken back already")
        put_back(doing, record, _say)
        print(f"kernel {record.kernel} with driver {record.driver} is back; start it with: sudo reboot")
        return 0
    if options.refresh:
        doing.run("apt-get", "--quiet", "update")
    upgrade = plan.make(machine, without_fallback=options.without_fallback)
    print(plan.as_text(upgrade), flush=True)
    if upgrade.status != "ready" or not upgrade.offered:
        return plan.EXIT_CODES[upgrade.status]
    apply(doing, upgrade, _say)
    print(f"{upgrade.offered} is installed, and starts with the next boot: sudo reboot")
    print("the way back: sudo rigforge-doctor upgrade --back")
    return 0


def _say(step: str) -> None:
    print(f"- {step}", flush=True)


def _doing(machine: Machine) -> Runner:
    from rigforge.doctor.upgrade import rollback_store
    from rigforge.doctor.upgrade.runner import Runner, UpgradeError

    if not os.access(machine.root / "var/lib/dpkg", os.W_OK):
        raise UpgradeError("this changes the system's packages: run it with sudo")
    folder = machine.root / rollback_store.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return Runner(machine, folder / "log")


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="rigforge-doctor upgrade",
        description="Says which pair of kernel and driver the archive offers, and upgrades to it with a way back.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--plan", action="store_true", help="say what is offered and what would be done; changes nothing")
    what.add_argument("--apply", action="store_true", help="do it; the machine is not rebooted")
    what.add_argument("--back", action="store_true", help="put back the packages before the last upgrade")
    parser.add_argument("--refresh", action="store_true", help="fetch apt's package lists first")
    parser.add_argument("--json", action="store_true", help="print the plan as one JSON object")
    parser.add_argument(
        "--without-fallback",
        action="store_true",
        help="go on where the previous kernel would have no module of the new driver until --back",
    )
    return parser.parse_args(arguments)
