"""Layers: the machine's root in slices, each an overlayfs upper directory that is built once and kept."""
