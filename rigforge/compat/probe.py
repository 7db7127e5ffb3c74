"""Finds PyTorch in the Python that runs this, and reads which GPUs its code is for. Never imported by Rigforge.

PyTorch is not imported: that would load the libraries that may be what is wrong. It prints one JSON object: `python`;
`packages`, by name; `installer` of PyTorch ("pip", "conda"); `version` and `cuda`, as PyTorch's version.py has them
("" for a build without); `platform`, what else it is made for (hip, xpu); `code`, the targets of its GPU code ("sm_90",
"sm_90a", "compute_90"), and `code_in`, the file that they were read from. Python 3.7 and the standard library are
enough.
"""

from __future__ import annotations

import glob
import importlib.util
import json
import os
import re
import struct
import sys
import time
from collections import Counter
from typing import Any, Iterator  # noqa: UP035

#: Seconds; a disk that is slower than this leaves the rest of the code unread.
PATIENCE = 3.0
#: As many fat binaries are looked at; PyTorch has about 500, of which each has code for every GPU it is built for.
ENOUGH = 4000
#: Bytes in which PyTorch's own list of its architectures is looked for.
LONGEST = 128 << 20

#: A fat binary (magic number, version, length of the header, length of what follows), as fatbinary.h of CUDA has it.
FAT, MAGIC = struct.Struct("<IHHQ"), 0xBA55ED50
#: One part of it: kind, version, length of the header, length of the code; at byte 28 the architecture, at 40 flags.
PART, PTX, CUBIN = struct.Struct("<HHIQ12xI8xQ"), 1, 2
#: Flags of code for one architecture alone (sm_90a), and of code for a family of them (sm_100f).
ALONE, FAMILY = 1 << 20, 1 << 21
#: What lies between two of them is less than this.
GAP = 4096


def sections(file: int, names: tuple[bytes, ...]) -> Iterator[tuple[int, int]]:
    """Yields the offset and size of an ELF file's sections with one of these names."""
    head = os.pread(file, 64, 0)
    if head[:6] != b"\x7fELF\x02\x01":
        return
    table, (each, count, of_names) = struct.unpack_from("<Q", head, 40)[0], struct.unpack_from("<HHH", head, 58)
    rows = [struct.unpack_from("<I20xQQ", os.pread(file, each, table + each * row)) for row in range(count)]
    _, place, size = rows[of_names]
    words = os.pread(file, min(size, 1 << 20), place)
    for name, offset, size in rows:
        if words[name:].partition(b"\0")[0] in names:
            yield offset, size


def parts(file: int, start: int, end: int) -> Iterator[set[str]]:
    """Yields the targets of each fat binary between two places of a file."""
    deadline, count = time.monotonic() + PATIENCE, 0
    while start + FAT.size <= end and count < ENOUGH and time.monotonic() < deadline:
        magic, _, header, length = FAT.unpack(os.pread(file, FAT.size, start))
        if magic != MAGIC or header < FAT.size:
            gap = os.pread(file, GAP, start).find(struct.pack("<I", MAGIC), 1)
            if gap < 0:
                return
            start += gap
            continue
        part, start, count = start + header, start + header + length, count + 1
        targets: set[str] = set()
        while part + PART.size <= min(start, end) and time.monotonic() < deadline:
            kind, _, header, length, number, flags = PART.unpack(os.pread(file, PART.size, part))
            if header < PART.size:
                break
            if kind in (PTX, CUBIN) and 0 < number < 1000:
                suffix = "a" if flags & ALONE else "f" if flags & FAMILY else ""
                targets.add(("sm_" if kind == CUBIN else "compute_") + str(number) + suffix)
            part += header + length
        yield targets


def in_binary(library: str) -> list[str]:
    """Returns the targets that at least half of a library's fat binaries have code for.

    A few kernels are made for more GPUs than the rest: they do not make the whole of it run there.
    """
    counted: Counter[str] = Counter()
    binaries = 0
    file = os.open(library, os.O_RDONLY | os.O_NONBLOCK)
    try:
        for offset, size in sections(file, (b".nv_fatbin", b"__nv_relfatbin")):
            for targets in parts(file, offset, offset + size):
                counted.update(targets)
                binaries += bool(targets)
    finally:
        os.close(file)
    return sorted((target for target, times in counted.items() if 2 * times >= binaries), key=_number)


def _number(target: str) -> tuple[int, str]:
    return int(re.sub(r"\D", "", target)), target


def in_list(library: str) -> list[str]:
    """Returns PyTorch's own list of its architectures, what torch.cuda.get_arch_list() would say."""
    file = os.open(library, os.O_RDONLY | os.O_NONBLOCK)
    try:
        text = os.pread(file, LONGEST, 0)
    finally:
        os.close(file)
    lists = re.findall(rb"\0(sm_\d{2,3}[af]?(?: (?:sm|compute)_\d{2,3}[af]?){0,40})\0", text)
    return max(lists, key=len, default=b"").decode().split()


def code(folder: str) -> tuple[list[str], str]:
    """Returns the targets of PyTorch's code, and the file that they were read from."""
    places = (os.path.join(folder, "lib"), os.path.join(sys.prefix, "lib"), "/usr/lib/*-linux-gnu")  # noqa: PTH118
    for read, names in (
        (in_binary, ("libtorch_cuda.so*", "libtorch_cuda_cu.so*")),
        (in_list, ("libtorch_python.so*",)),
    ):
        for pattern in (place + "/" + name for name in names for place in places):
            for library in sorted(glob.glob(pattern))[:1]:  # noqa: PTH207
                try:
                    targets = read(library)
                except (OSError, struct.error, IndexError, ValueError):
                    continue
                if targets:
                    return targets, library
    return [], ""


def packages() -> tuple[dict[str, str], str]:
    """Returns the versions of PyTorch and of the CUDA wheels that go with it, by name, and who installed PyTorch."""
    try:
        from importlib import metadata
    except ImportError:
        return {}, ""
    versions: dict[str, str] = {}
    installer = ""
    for distribution in metadata.distributions():
        name = (distribution.metadata["Name"] or "").lower()
        if name == "torch" or name.startswith(("nvidia-cuda-runtime", "nvidia-cudnn")):
            versions.setdefault(name, distribution.version)
        if name == "torch":
            installer = (distribution.read_text("INSTALLER") or "").strip()
    return versions, installer


def main() -> None:
    answer: dict[str, Any] = {"python": "%d.%d" % sys.version_info[:2], "cuda": ""}  # noqa: UP031
    answer["packages"], answer["installer"] = packages()
    spec = importlib.util.find_spec("torch")
    # What has no origin is a folder that an uninstalled PyTorch left behind.
    folder = next(iter(spec.submodule_search_locations or ()), "") if spec and spec.origin else ""
    try:
        with open(os.path.join(folder, "version.py")) as file:  # noqa: PTH118, PTH123
            assignments = dict(re.findall(r"^(\w+)\b.*= '([^'\n]{1,100})'", file.read(1 << 16), re.M))
    except OSError:
        assignments = {}
    answer["version"], answer["cuda"] = assignments.get("__version__", ""), assignments.get("cuda", "")
    answer["platform"] = " ".join(name + " " + assignments[name] for name in ("hip", "xpu") if name in assignments)
    if answer["cuda"]:
        answer["code"], answer["code_in"] = code(folder)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
