"""Rigforge: install media and container images for GPU machines, from one small file."""

__version__ = "0.1.0"
