"""What stays on an installed machine: Python 3.10 or later without packages, nothing of the builder."""

#: The doctor: its program, and where a machine has it.
PROGRAM = "rigforge-doctor"
DOCTOR = f"/usr/bin/{PROGRAM}"
