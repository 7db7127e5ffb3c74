"""The lock: every file that a stack's artifacts are made of, by archive role, name, size and sha256."""
