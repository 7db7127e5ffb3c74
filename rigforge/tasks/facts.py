"""Facts of the compatibility tables, for maintainers."""

from __future__ import annotations

from invoke.context import Context

from rigforge.cli import task


@task(
    help={
        "check": "ask the places for their facts, and compare the tables with them (needs a network)",
        "update": "ask, write what is new into the tables with its source, and keep what was seen",
    }
)
def facts(context: Context, check: bool = False, update: bool = False) -> None:
    """
    Compare the compatibility tables with what package indices, archives and NVIDIA say.

    Without an option they are compared with the snapshot that is kept in the repository, without a network. The exit
    code is 1 where something disagrees or did not answer.

    Example: invoke facts --check
    """
    from rigforge import console
    from rigforge.facts.report import run

    report = run(check or update, update, console.say)
    print("\n".join(report.lines))
    if not report.good:
        raise SystemExit(1)
