"""Rules that the stack, the installer, the machine and the validators share: Python's own library alone."""
