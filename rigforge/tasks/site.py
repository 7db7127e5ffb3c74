"""The answers for one machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from invoke.context import Context

from rigforge.cli import task
from rigforge.tasks.parameters import SITE, STACK


@task(iterable=["set_"], help={"out": "file to write", "stack": STACK, **SITE})
def seed(context: Context, out: str, stack: str = "", set_: Sequence[str] | None = None, site: str = "") -> None:
    """
    Make a CIDATA volume: the answers for one machine, beside an ISO that serves many.

    Write it to a second stick, or attach it to the machine as a disk.

    Example: invoke seed gpu7.img --stack debian-12 --set hostname=gpu7
    """
    from rigforge.autoinstall.document import render
    from rigforge.autoinstall.seed_image import make_cidata
    from rigforge.options import the_mirrors, the_stack

    make_cidata(render(the_stack(stack, the_mirrors(""), set_ or (), site)), Path(out))
    print(f"seed: {out}")
