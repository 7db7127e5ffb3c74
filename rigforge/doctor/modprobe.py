"""modprobe's settings as modprobe itself reads them (modprobe.d(5))."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rigforge.doctor import excerpt

#: Where modprobe looks; of two files of a name the earlier folder's counts. Without a merged /usr, /lib is another
#: folder than /usr/lib.
FOLDERS = ("etc/modprobe.d", "run/modprobe.d", "usr/local/lib/modprobe.d", "usr/lib/modprobe.d", "lib/modprobe.d")

#: Files that are read, and bytes of each.
_MOST, _LONGEST = 200, 1 << 18


@dataclass(frozen=True)
class Line:
    """A line that says something: its file, as a path of the machine, and its words."""

    file: str
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.words)


def lines(root: Path) -> Iterator[Line]:
    """Yields the lines that count on the system at `root`, in modprobe's order: by the names of their files."""
    by_name: dict[str, str] = {}
    for folder in FOLDERS:
        for file in (root / folder).glob("*.conf"):
            by_name.setdefault(file.name, f"/{folder}/{file.name}")
    for _, path in sorted(by_name.items())[:_MOST]:
        text = excerpt.of(root, path, most=_LONGEST).replace("\\\n", " ")
        for row in text.splitlines():
            if (words := row.split()) and not words[0].startswith("#"):
                yield Line(path, tuple(words))


def module(name: str) -> str:
    """Returns a module's name as it is compared: - and _ are the same in it."""
    return name.replace("_", "-")
