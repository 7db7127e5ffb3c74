"""The program: `rigforge-doctor` looks at everything once and says what it found; `rigforge-doctor WORD` does more."""

from __future__ import annotations

import argparse
import json
import select
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rigforge.doctor import burn_in, nvml, record_cards, tune, upgrade
from rigforge.doctor.check import EXIT_CODES, verdict
from rigforge.doctor.checks import every
from rigforge.doctor.checks.cuda import CUDA
from rigforge.doctor.machine import AnswerCache, Machine
from rigforge.doctor.page import as_page, save
from rigforge.doctor.terminal import as_text
from rigforge.errors import RigforgeError
from rigforge.plain import plain

#: What it does besides looking: each takes the arguments after its name and returns the exit code.
SUBCOMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "burn-in": burn_in.main,
    "remember": record_cards.main,
    "tune": tune.main,
    "upgrade": upgrade.main,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 where all is well, 1 with a warning, 2 where something failed."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if arguments and arguments[0] in SUBCOMMANDS:
            return SUBCOMMANDS[arguments[0]](arguments[1:])
        return _examine(arguments)
    except RigforgeError as error:
        print(plain(f"rigforge-doctor: {error.message}; {error.hint}"), file=sys.stderr)
        return EXIT_CODES["failed"]
    except KeyboardInterrupt:
        return 130


def _examine(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    cache, before = AnswerCache(), None
    while True:
        machine = Machine(nvml.read(), at_rest=options.at_rest, answers=cache)
        checks = every(machine)
        # To ask CUDA takes memory of every GPU: once, and again where anything else has changed.
        now = {check.id: check.status for check in checks if check.id != CUDA.id}
        cache, before = (cache if before in (None, now) else AnswerCache()), now
        status = verdict(checks)
        if options.report:
            save(options.report, as_page(machine, checks, status))
        if options.json:
            answer = {"verdict": status, "machine": machine.described(), "checks": [vars(check) for check in checks]}
            print(json.dumps(answer, indent=None if options.watch else 2), flush=True)
        else:
            clear = "\x1b[2J\x1b[H" if options.watch and sys.stdout.isatty() else ""
            print(clear + as_text(machine, checks, status, colour=sys.stdout.isatty()), end="", flush=True)
        if not options.watch:
            return EXIT_CODES[status]
        if _asked_for(options.watch):
            cache = AnswerCache()


def _asked_for(seconds: float) -> bool:
    """Waits, and tells whether somebody pressed Enter meanwhile, which ends the wait."""
    if not sys.stdin.isatty():
        time.sleep(seconds)
        return False
    pressed, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(pressed and sys.stdin.readline())


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="rigforge-doctor",
        description="Says what is right and wrong with this GPU machine.",
        epilog=f"Further commands, each with its own --help: {', '.join(SUBCOMMANDS)}.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    parser.add_argument(
        "--watch",
        nargs="?",
        type=float,
        const=5.0,
        default=0.0,
        metavar="SECONDS",
        help="look again and again (5 s); CUDA is asked where something has changed, or Enter is pressed",
    )
    parser.add_argument("--at-rest", action="store_true", help="wake no service and start no container to look at it")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the report as one HTML file besides")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
