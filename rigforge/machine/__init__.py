"""What stays on an installed machine: Python 3.10 or later without packages, nothing of the builder."""
