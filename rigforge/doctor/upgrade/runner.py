"""Runs what changes the machine, with everything that is said kept in a log."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rigforge.doctor.machine import Machine

#: No program asks anybody anything: it would wait for ever.
_UNASKED = {"DEBIAN_FRONTEND": "noninteractive", "APT_LISTCHANGES_FRONTEND": "none", "NEEDRESTART_MODE": "l"}


class UpgradeError(Exception):
    """Something on the machine does not go as it must; the message is for the machine's owner."""


@dataclass(frozen=True)
class Runner:
    """Runs programs on a machine, and logs them."""

    machine: Machine
    log: Path

    def run(self, *argv: str) -> str:
        """Runs a program and returns its standard output.

        Ctrl-C waits for its end: dpkg must not be killed in the middle.

        Raises Failed with the last lines that it said.
        """
        program = shutil.which(argv[0], path=self.machine.path)
        if not program:
            raise UpgradeError(f"{argv[0]} is not installed")
        environment = {**self.machine.program_environment, **_UNASKED, "PATH": self.machine.path, "LC_ALL": "C.UTF-8"}
        with self.log.open("a") as log:
            log.write(f"$ {' '.join(argv)}\n")
            log.flush()
            start = log.tell()
            process = subprocess.Popen(
                [program, *argv[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                errors="replace",
                cwd="/",
                env=environment,
                start_new_session=True,
            )
            try:
                output, _ = process.communicate()
            except KeyboardInterrupt:
                process.communicate()
                raise
            complaint_end = log.seek(0, 2)
            log.write(output)
        if process.returncode:
            with self.log.open("rb") as written:
                written.seek(start)
                complaint = written.read(complaint_end - start).decode(errors="replace")
            lines = [line.strip() for line in (complaint.strip() or output).splitlines() if line.strip()]
            lines = [line for line in lines if not line.startswith("W: ")] or lines
            # DKMS complains where others report, and dpkg says last only that something failed.
            telling = [line for line in output.splitlines() if line.startswith("Error! ")]
            why = "; ".join(dict.fromkeys([*telling[:1], *lines[-4:]])) or "it said nothing"
            raise UpgradeError(f"{argv[0]} ended with {process.returncode}: {why} (all of it: {self.log})")
        return output
