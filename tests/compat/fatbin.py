"""Makes what nvcc leaves in a library: an ELF file with fat binaries, as small as can be."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence

PTX, CUBIN = 1, 2


def part(target: str) -> bytes:
    """Returns the code for a target ("sm_90a", "compute_120"), which is none: header and eight bytes."""
    found = re.fullmatch(r"(sm|compute)_(\d+)([af]?)", target)
    assert found, target
    flags = 0x2011 | {"": 0, "a": 1 << 20, "f": 1 << 21}[found[3]]
    kind = CUBIN if found[1] == "sm" else PTX
    head = struct.pack("<HHIQ12xI8xQ16x", kind, 0x101, 64, 8, int(found[2]), flags)
    return head + bytes(8)


def fat(*targets: str) -> bytes:
    """Returns a fat binary with code for each target."""
    inside = b"".join(map(part, targets))
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(inside)) + inside


def library(binaries: Sequence[bytes], section: str = ".nv_fatbin") -> bytes:
    """Returns an ELF file with these fat binaries in a section, and a gap as linkers leave it between two of them."""
    code = bytes(8).join(binaries)
    names = b"\0.shstrtab\0" + section.encode() + b"\0"
    place = 64 + len(code)
    rows = [(0, 0, 0), (1, place, len(names)), (11, 64, len(code))]
    table = b"".join(struct.pack("<I20xQQ24x", *row) for row in rows)
    head = b"\x7fELF\x02\x01\x01".ljust(40, b"\0") + struct.pack("<QI6H", place + len(names), 0, 64, 0, 0, 64, 3, 1)
    return head + code + names + table
