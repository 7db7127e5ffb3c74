"""What tells people of a build."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from invoke.context import Context

from rigforge.cli import task
from rigforge.paths import PROJECT, home
from rigforge.tasks.parameters import SITE


@task(
    iterable=["set_"],
    help={
        "stack": "stack to report on: a name from `stacks`, or the path of a TOML file (default: one that is built)",
        **SITE,
        "out": "file to write, or folder for it; ISO, images and test results are looked for beside it "
        "(default: out/rigforge-STACK-report.html)",
    },
)
def report(context: Context, stack: str = "", set_: Sequence[str] | None = None, site: str = "", out: str = "") -> None:
    """
    Write one HTML page on what was built: versions and why, sizes, times, digests, results of the tests.

    Example: invoke report --stack debian-12
    """
    from rigforge.layers.build import Cache
    from rigforge.options import the_lock
    from rigforge.report.build_report import built_stack, gather
    from rigforge.report.page import write
    from rigforge.stack.load import load

    cache = Cache(home())
    definition = load(stack, sets=set_ or (), site=Path(site) if site else None) if stack else built_stack(cache)
    output = Path(out) if out else PROJECT / "out"
    if not out or output.is_dir():
        output /= f"rigforge-{definition.name}-report.html"
    write(gather(definition, the_lock(definition), cache, output.parent), output)
    print(f"report: {output}")
