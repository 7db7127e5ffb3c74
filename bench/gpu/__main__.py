"""One prepared run for a machine with an NVIDIA driver and a Python that has PyTorch; needs no network there.

    .venv/bin/python -m bench.gpu pack        # here: collects what it needs, into out/bench-gpu (git ignores it)
    python3 -m bench.gpu --results FOLDER     # there, in a copy of this folder: under eight minutes in all
    .venv/bin/python -m bench.gpu --stand-in --quick --results FOLDER    # tries itself, without a GPU

It asks the doctor (JSON and page) and `explain --this-machine`, burns in for two minutes, tries five power limits on
the first GPU without making any of them last, and runs the image tests that need a GPU. Root is needed for the limits
alone. All output, `summary.json` and `summary.md` are in FOLDER, even where a step fails or takes too long. The exit
code is 0 where every step was run to its end, whatever it found, and 1 otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path

from bench.gpu import carried, stand_in, summary
from bench.gpu.steps import Machine, Run, steps

PROJECT = Path(__file__).parents[2]
CARRIED = PROJECT / "out/bench-gpu"


def main() -> int:
    options = _options()
    if options.what == "pack":
        carried.pack(CARRIED, options.for_python)
        print(f"carry: {CARRIED} ({carried.megabytes(CARRIED):.1f} MB)")
        return 0
    results = options.results.resolve()
    results.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as open_things:
        place = Path(open_things.enter_context(tempfile.TemporaryDirectory(prefix="bench-gpu-")))
        site = carried.unpack(CARRIED, place / "site")
        if options.stand_in:
            machine = stand_in.machine(place / "stand-in", site)
        else:
            machine = Machine(options.python or sys.executable, site)
        run = Run(results)
        for step in steps(machine, results, quick=options.quick):
            outcome = run.do(step)
            print(f"{outcome.name}: {outcome.how} in {outcome.seconds:.0f} s", flush=True)
    summary.write(results, run)
    print(f"results: {results} ({run.seconds:.0f} s)")
    return 0 if all(outcome.ended for outcome in run.done) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("run", "pack"), default="run")
    parser.add_argument("--results", type=Path, default=Path("out/bench-gpu-results"), help="folder for what comes out")
    parser.add_argument("--python", default="", help="the Python that has PyTorch (the one that runs this)")
    parser.add_argument("--for-python", default="3.12", metavar="VERSION", help="pack: the Python there (3.12)")
    parser.add_argument("--stand-in", action="store_true", help="with the stand-ins of tests/doctor in a GPU's place")
    parser.add_argument("--quick", action="store_true", help="seconds in the place of minutes: tries the run itself")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
