"""The program that examines a GPU machine."""

from __future__ import annotations

from pathlib import Path

from invoke.context import Context

from rigforge.cli import task


@task(help={"out": "folder for the program (default: out/doctor)"})
def build_doctor(context: Context, out: str = "") -> None:
    """
    Build rigforge-doctor, one file that needs no Python on the machine it examines, and print where it is.

    Example: invoke build-doctor
    """
    from rigforge.doctor.build import build
    from rigforge.state import PROJECT

    print(f"doctor: {build(Path(out or PROJECT / 'out/doctor').absolute())}")
