"""Conda environments for use elsewhere."""

from __future__ import annotations

from invoke.context import Context

from rigforge.cli import task
from rigforge.tasks.parameters import STACK


@task(help={"stack": STACK, "environment": "name of the environment (default: python.environment of the stack)"})
def explicit(context: Context, stack: str = "", environment: str = "") -> None:
    """
    Print the packages of a conda environment as `conda create --file` reads them.

    Example: invoke explicit --stack mine > rig.txt
    """
    from rigforge.lock.conda_export import explicit
    from rigforge.options import the_lock, the_mirrors, the_stack
    from rigforge.records.conda import ROLE
    from rigforge.sources.mirrors import without_credentials

    mirrors = the_mirrors("")
    definition = the_stack(stack, mirrors)
    name = environment or definition.python.environment
    print(explicit(the_lock(definition), name, without_credentials(mirrors.url(ROLE))), end="")
