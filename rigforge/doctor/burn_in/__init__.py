"""`rigforge-doctor burn-in`: every GPU at full load, with everything it computes and remembers checked."""

from __future__ import annotations

from collections.abc import Sequence

from rigforge.doctor.machine import Machine


def main(arguments: Sequence[str], machine: Machine | None = None) -> int:
    """Returns the exit code; looks at this machine where no other is given. Raises RigforgeError."""
    # Here, because what is only looked at needs none of it.
    from rigforge.doctor.burn_in import command

    return command.main(arguments, machine)
