"""Looks for inputs that break a parser, led by the code that they reach (libFuzzer, by way of atheris).

    .venv/bin/pip install atheris
    .venv/bin/python -m bench.fuzz "lock" --seconds 600

The parsers are those of tests/fuzz/parsers.py; without a name, the four that read most of what others write. An input
that breaks one is kept in the current folder, and printed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

MOST_READ = ("autoinstall, installed by us", "lock", "stack", "what a machine says of itself")

#: Seconds for one input; MiB for the whole process, which has 150 to begin with.
LONGEST, MOST = 5, 650


def fuzz(name: str, seconds: int) -> None:
    """Runs in a process of its own, which libFuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=["rigforge"]):
        from rigforge.errors import RigforgeError
        from rigforge.installer.section import DocumentError
        from tests.fuzz.parsers import PARSERS
    parser = PARSERS[name]

    def survives(text: bytes) -> None:
        with suppress(RigforgeError, DocumentError):
            parser.read(text)

    with tempfile.TemporaryDirectory(prefix="fuzz-") as corpus:
        for number, example in enumerate(parser.examples):
            Path(corpus, str(number)).write_bytes(example)
        limits = [f"-max_total_time={seconds}", f"-timeout={LONGEST}", f"-rss_limit_mb={MOST}", "-print_final_stats=1"]
        atheris.Setup(["fuzz", *limits, "-max_len=20000", "-verbosity=0", corpus], survives)
        atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="PARSER", default=MOST_READ)
    parser.add_argument("--seconds", type=int, default=600, help="for each parser")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        fuzz(options.names[0], options.seconds)
    for name in options.names:
        print(f"{name}:", flush=True)
        command = [sys.executable, "-m", "bench.fuzz", "--here", name, "--seconds", str(options.seconds)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
