"""Sizes in words."""

from __future__ import annotations

MIB, GIB = 1 << 20, 1 << 30

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


def of_disk(count: int) -> str:
    """Returns a number of bytes as the label of a disk has it.

    >>> of_disk(2_000_398_934_016), of_disk(960_197_124_096), of_disk(512_000_000)
    ('2.0 TB', '960 GB', '512 MB')
    """
    if count >= 10**12:
        return f"{count / 10**12:.1f} TB"
    return f"{count // 10**9} GB" if count >= 10**10 else f"{count // 10**6} MB"


def in_gib(count: int, digits: int = 1) -> str:
    """Returns a number of bytes in binary units, as memory is sold, with so many digits after the point.

    >>> in_gib(25_757_220_864), in_gib(25_757_220_864, 0), in_gib(536_870_912)
    ('24.0 GiB', '24 GiB', '0.5 GiB')
    """
    return f"{count / GIB:.{digits}f} GiB"
