"""The rule that picks a machine's disk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

Size = Literal["smallest", "largest"]
SIZES: tuple[Size, ...] = get_args(Size)

#: What a rule's path looks like.
DEVICE = r"/dev/\S+"


@dataclass(frozen=True)
class DiskMatch:
    """A rule for a disk: every field that is not None holds.

    `serial`, `model` and `path` are shell patterns (fnmatch), `ssd` is whether it does not rotate, `size` picks the
    smallest or largest of the disks that the other fields leave.
    """

    size: Size | None = None
    ssd: bool | None = None
    serial: str | None = None
    model: str | None = None
    path: str | None = None


def is_device(path: str) -> bool:
    """Says whether a path or pattern is one of device files.

    >>> is_device("/dev/disk/by-id/nvme-*"), is_device("sda")
    (True, False)
    """
    return bool(re.fullmatch(DEVICE, path))


def names_one(pattern: str) -> bool:
    """Says whether a shell pattern is of one name alone: without wildcards.

    >>> names_one("/dev/sda"), names_one("/dev/sd[ab]"), names_one("")
    (True, False, False)
    """
    return bool(pattern) and not set("*?[") & set(pattern)
