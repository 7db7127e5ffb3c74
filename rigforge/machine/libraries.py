"""The driver's libraries of the system below a root: where its loader finds them, and in which version.

Links are followed inside that root: Debian's (libcuda1, nvidia-alternative) lead through /etc/alternatives, which would
be that of the machine that looks. Python's own library only: this runs on the installed machine, too.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CUDA = "libcuda.so.1"
MANAGEMENT = "libnvidia-ml.so.1"

#: Where drivers put their libraries, by Debian and Ubuntu, Fedora and SUSE, Arch and NVIDIA's installer; then where
#: containers get them mounted (Kubernetes on Google's nodes, Apptainer), NixOS's and WSL's places.
FOLDERS = (
    *("usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib64", "usr/lib"),
    *("usr/local/nvidia/lib64", "usr/local/nvidia/lib", ".singularity.d/libs"),
    *("run/opengl-driver/lib", "usr/lib/wsl/lib"),
)

#: Beside the libraries of the system; Debian has a folder for each driver there may be.
_PLACES = ("", "nvidia/*/")

#: As many links as the kernel follows (path_resolution(7)), and settings of the loader that are read at most.
_LINKS, _SETTINGS, _LONGEST = 40, 100, 65536

#: The driver's version is in the name of each of its libraries.
_VERSION = re.compile(r"\.so\.(\d{3,4}(?:\.\d{1,4}){1,2})$", re.ASCII)
#: And inside it, in the names of the libraries that it loads.
_INSIDE = re.compile(rb"\blib(?:cuda|nvidia-[a-z0-9-]{1,40})\.so\.(\d{3,4}(?:\.\d{1,4}){1,2})\0", re.ASCII)


@dataclass(frozen=True)
class Library:
    """A library of the driver. `folder` is where the loader finds it, as a path of that system; `file` is where the
    links end, as one of this. `version` is the driver's, "" where nothing says it (WSL).
    """

    folder: str
    file: Path
    version: str

    @property
    def forward(self) -> bool:
        """Whether it is of NVIDIA's forward-compatibility package, which may be newer than the module (cuda-compat)."""
        return "compat" in self.folder.split("/")


def find(root: Path, name: str = CUDA, before: Iterable[str] = ()) -> Library | None:
    """Returns the library that a program of the system at `root` gets by its name; None for none, or a link to none.

    `before` are folders in which its loader looks first, as LD_LIBRARY_PATH has them.
    """
    for folder in (*(each.strip("/") for each in before), *_searched(root)):
        file = inside(root, f"{folder}/{name}")
        if file and file.is_file():
            return Library(f"/{folder}", file, _version(file, name))
    return None


def files(root: Path, version: str = "*.*", name: str = CUDA) -> list[Path]:
    """Returns the files of a library, whether or not the loader finds them; `version` may be a pattern."""
    pattern = f"{_stem(name)}.so.{version}"
    folders = [
        file for folder in FOLDERS for place in _PLACES for file in sorted((root / folder).glob(f"{place}{pattern}"))
    ]
    return [file for file in folders if _VERSION.search(file.name) and not file.is_symlink()]


def inside(root: Path, path: str) -> Path | None:
    """Returns where a path of the system at `root` leads, which is never outside it; None where links go in circles."""
    parts, at, links = path.split("/")[::-1], list[str](), 0
    while parts:
        name = parts.pop()
        if name == "..":
            at = at[:-1]
        if name in ("", ".", ".."):
            continue
        try:
            target = str(root.joinpath(*at, name).readlink())
        except (OSError, ValueError):  # no link; or a NUL in the name
            at.append(name)
            continue
        links += 1
        if links > _LINKS:
            return None
        at = [] if target.startswith("/") else at
        parts += target.split("/")[::-1]
    return root.joinpath(*at)


def _searched(root: Path) -> list[str]:
    """Returns the folders of the loader, first those of its settings (ld.so.conf(5))."""
    folders = (folder.strip("/") for folder in _folders_named(root, "etc/ld.so.conf", [0]))
    return list(dict.fromkeys([*folders, *FOLDERS]))


def _folders_named(root: Path, settings: str, read: list[int]) -> Iterator[str]:
    file = inside(root, settings)
    read[0] += 1
    if not file or read[0] > _SETTINGS:
        return
    try:
        with file.open(errors="replace") as text:
            lines = text.read(_LONGEST).splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        words = line.partition("#")[0].split()
        if words[:1] == ["include"]:
            for pattern in words[1:]:
                within = pattern.strip("/") if pattern.startswith("/") else f"etc/{pattern}"
                # A pattern that Python takes for none names no settings here, as one that matches nothing.
                with suppress(ValueError, NotImplementedError, OSError):
                    for each in sorted(root.glob(within)):
                        yield from _folders_named(root, str(each.relative_to(root)), read)
        elif words and words[0].startswith("/"):
            yield words[0]


def _version(file: Path, name: str) -> str:
    # Mounted file by file, or copied, the same library is there under each of its names, and none is a link.
    for each in (file, *sorted(file.parent.glob(f"{_stem(name)}.so.*.*"))):
        with suppress(OSError):
            if (match := _VERSION.search(each.name)) and each.samefile(file):
                return match[1]
    try:
        with file.open("rb") as library, mmap.mmap(library.fileno(), 0, access=mmap.ACCESS_READ) as content:
            version = _INSIDE.search(content)
            return version[1].decode() if version else ""
    except (OSError, ValueError):  # an empty file
        return ""


def _stem(name: str) -> str:
    return name.partition(".so")[0]
