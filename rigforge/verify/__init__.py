"""Boots what was built, lets it install, and tests the machine that comes out."""
