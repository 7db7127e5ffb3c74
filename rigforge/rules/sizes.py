"""Sizes in words."""

from __future__ import annotations

_UNITS = ((10**9, "GB", 2), (10**6, "MB", 1), (10**3, "kB", 0))


def in_words(count: int) -> str:
    """Returns a number of bytes in decimal units, as archives and disks are sold.

    >>> in_words(1_180_000_000), in_words(192_300_000), in_words(12)
    ('1.18 GB', '192.3 MB', '12 B')
    """
    for unit, name, digits in _UNITS:
        if count >= unit:
            return f"{count / unit:.{digits}f} {name}"
    return f"{count} B"
