"""What stays on an installed machine: Python 3.10 or later without packages, nothing of the builder."""

#: Where a machine has the doctor.
DOCTOR = "/usr/bin/rigforge-doctor"
