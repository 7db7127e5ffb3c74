"""What stays on an installed machine: Python 3.10 or later without packages, nothing of the builder."""

#: The doctor, where a machine has it.
DOCTOR = "/usr/bin/rigforge-doctor"
