"""Work for a GPU, done by the Python that has PyTorch: the doctor itself is one file without it."""

from __future__ import annotations

import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the subcommands that keep the GPUs busy."""
    parser.add_argument("--python", default="", metavar="PATH", help="the Python that has PyTorch")
    parser.add_argument(
        "--patience", type=positive, default=60.0, metavar="SECONDS", help="silence that counts as hanging (60)"
    )
    # Tries the program where there is no GPU.
    parser.add_argument("--cpu", action="store_true", help=argparse.SUPPRESS)


def positive(text: str) -> float:
    """Returns the number that an option is; argparse's error for one that is not more than 0."""
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError(f"{text} is not more than 0")
    return number
