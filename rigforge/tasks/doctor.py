"""The program that examines a GPU machine."""

from __future__ import annotations

from pathlib import Path

from invoke.context import Context

from rigforge.cli import task
from rigforge.tasks.parameters import MIRROR


@task(
    help={
        "stack": "take the program of this stack's layer, packed in its base (default: pack it with Rigforge's Python)",
        **MIRROR,
        "out": "folder for the program (default: out/doctor)",
    }
)
def build_doctor(context: Context, stack: str = "", mirror: str = "", out: str = "") -> None:
    """
    Build rigforge-doctor, one file that needs no Python on the machine it examines, and print where it is.

    Example: invoke build-doctor
    """
    from rigforge import extras
    from rigforge.build import build_doctor as of_the_stack
    from rigforge.build_lock import exclusive
    from rigforge.doctor.build import build
    from rigforge.options import the_lock, the_mirrors, the_stack
    from rigforge.paths import PROJECT

    folder = Path(out or PROJECT / "out/doctor").absolute()
    if stack:
        mirrors = the_mirrors(mirror)
        definition = the_stack(stack, mirrors)
        with exclusive():
            program = of_the_stack(definition, the_lock(definition), mirrors, folder)
    else:
        extras.need("doctor")
        program = build(folder)
    print(f"doctor: {program}")
