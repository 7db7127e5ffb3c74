"""Files of a guest: a tree of another system, whose links count from its own root and never lead into this one.

Whoever opens, changes or removes a path of a tree that packages have filled goes through here. No program of the guest
may run meanwhile: what is resolved stays so.
"""

from __future__ import annotations

import errno
import os
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

#: How many links a path may lead over, as for the kernel (path_resolution(7)).
MAX_LINKS = 40


def resolve(root: Path, path: str | PurePath, *, follow: bool = True) -> Path:
    """Returns where a program in `root` would find `path`, as a path of this system that leads over no link.

    What is not there counts as named. Where `follow` is false, a link at the very end is meant itself.

    Raises OSError (ELOOP) for links that lead nowhere but to each other.
    """
    here, links = root, 0
    pending = [*reversed(PurePath(path).parts)]
    while pending:
        part = pending.pop()
        if part.startswith("/"):
            here = root
        elif part == "..":
            here = here if here == root else here.parent
        elif (pending or follow) and (here / part).is_symlink():
            links += 1
            if links > MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
            pending += reversed((here / part).readlink().parts)
        else:
            here /= part
    return here


def glob(root: Path, pattern: str) -> list[Path]:
    """Returns what in `root` matches a pattern, sorted, each as `resolve` does without `follow`; `*` has no slash."""
    paths = [root]
    for part in PurePath(pattern.lstrip("/")).parts:
        folders = [resolve(root, path.relative_to(root)) for path in paths]
        paths = [
            folder / name
            for folder in folders
            if folder.is_dir()
            for name in sorted(path.name for path in folder.iterdir())
            if fnmatchcase(name, part)
        ]
    return paths


def read(root: Path, path: str | PurePath) -> str:
    """Returns the text of a file of `root`.

    Raises OSError where it is missing, or no file: a pipe would be waited for without end.
    """
    return regular(root, path).read_text(encoding="utf-8")


def regular(root: Path, path: str | PurePath) -> Path:
    """Returns where a file of `root` is, as `resolve`; raises FileNotFoundError unless it is there, and a file."""
    file = resolve(root, path)
    if not file.is_file():
        raise FileNotFoundError(errno.ENOENT, "no such file, or none that can be read", str(file))
    return file


def write(root: Path, path: str | PurePath, text: str, mode: int | None = None) -> Path:
    """Writes a file of `root` and returns where it is, as `resolve`; makes its folders.

    What is there and neither file nor folder, such as a pipe, goes. `mode` is the file's from its first byte on.
    """
    file = resolve(root, path)
    file.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(file) and not (file.is_file() or file.is_dir()):
        file.unlink()
    if mode is not None:
        file.touch(mode)
        file.chmod(mode)
    file.write_text(text, encoding="utf-8")
    return file
