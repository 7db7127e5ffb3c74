"""A plain directory with everything that a stack's lock names, which `--mirror DIR` builds from with no network.

    DIR/debian/pool/…, DIR/pypi/NAME.whl    the files, at their places in a mirror
    DIR/stacks/NAME/                        the stack's file, those it extends, and the lock
    DIR/SHA256SUMS                          all of these, for sha256sum(1) too

Several stacks may share a directory; what nobody asks for any more stays, in SHA256SUMS too, until someone removes it.
Keyrings are not there: they sign the way from a stack to its lock, and a build from a lock checks each file's sha256.

Files are copied. A hard link would take no time, but then whatever happened to the file in the one place happened
in the other, and this directory is there for the day on which the store is lost. A reflink has the same bytes on the
same disk, once. The copy is hashed as it is written, so a damaged store is noticed now and not years later.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shlex
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from rigforge.errors import RigforgeError
from rigforge.lock.model import Lock, read, to_text
from rigforge.records import checksums
from rigforge.records.file import LockedFile
from rigforge.records.form import RELATIVE, said_by
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.load import names, read_toml
from rigforge.stack.model import Stack
from rigforge.store.comparison import Expected, Problem, Reader, compare, in_threads
from rigforge.store.store import Store

SUMS = "SHA256SUMS"

#: Holds files until they are whole; on the same disk, so that giving them their places is one step.
PARTIAL = ".partial"

#: How many problems a message names.
NAMED = 10


class VendoredFilesError(RigforgeError):
    """Files of a vendored directory are missing or altered."""

    def __init__(self, directory: Path, problems: Sequence[Problem], stacks: Sequence[str]) -> None:
        lines = [f"  {problem.path} {problem.reason}" for problem in problems[:NAMED]]
        if len(problems) > NAMED:
            lines.append(f"  and {len(problems) - NAMED} more")
        files = "1 file is" if len(problems) == 1 else f"{len(problems)} files are"
        cures = [f"`{shlex.join(['invoke', 'vendor', '--stack', stack, str(directory)])}`" for stack in stacks]
        super().__init__(
            "\n".join([f"{files} not as vendored in {directory}:", *lines]),
            f"{' and '.join(cures)} puts right what the lock names, and leaves the rest alone; "
            f"what is not wanted any more goes with its line in {SUMS}",
        )


def write(stack: Stack, lock: Lock, store: Store, mirrors: Mirrors, directory: Path, *, offline: bool = False) -> None:
    """Brings all files of `lock` into `directory`, with stack, lock and SHA256SUMS.

    Files that are right already stay as they are; they are read to know it. The others come from the store,
    and into that from `mirrors`. Each is there whole or not at all: after an error or Ctrl-C the next call goes on.
    Raises RigforgeError for what cannot be fetched (see Store.fetch), a damaged store, and a disk that is full or
    cannot be written.
    """
    own = _definition(stack, lock)
    with _disk(directory):
        directory.mkdir(parents=True, exist_ok=True)
        wrong = {problem.path for problem in check(lock, directory)}
        by_place = {file.mirror_path: file for file in lock.files}
        files = sorted((by_place[path] for path in wrong), key=lambda file: -file.size)
        needed, free = sum(file.size for file in files), shutil.disk_usage(directory).free
    if needed > free:
        raise _full(directory, f": {needed} more bytes are needed, {free} are free")
    store.fetch(files, mirrors, offline=offline)
    with _disk(directory), _partial(directory) as partial:
        _copy(files, store, directory, partial)
        for path, content in own.items():
            _put(content, directory, path, partial)
        sums = checksums.parse(_text(directory / SUMS))
        sums |= {path: hashlib.sha256(content).hexdigest() for path, content in own.items()}
        sums |= {path: file.sha256 for path, file in by_place.items()}
        _put(checksums.to_text(sums).encode(), directory, SUMS, partial)


def check(lock: Lock, directory: Path) -> list[Problem]:
    """Returns what of the lock's files is missing or altered in `directory`."""
    return compare({Expected(file.mirror_path, file.sha256, file.size) for file in lock.files}, directory)


def check_all(directory: Path) -> list[Problem]:
    """Returns what is missing or altered of all that SHA256SUMS and the locks in `directory` name.

    Raises RigforgeError where it has neither.
    """
    text = _text(directory / SUMS)
    sums = checksums.parse(text)
    for listed in sums:
        with said_by(str(directory / SUMS), "remove the line, or do not use what somebody else has vendored"):
            RELATIVE.check("path", listed)
    expected = {path: Expected(path, sha256) for path, sha256 in sums.items()}
    problems, unlisted = [], text != checksums.to_text(sums)
    locks = sorted(directory.glob("stacks/*/*.lock"))
    if not sums and not locks:
        raise RigforgeError(f"nothing is vendored in {directory}", f"vendor a stack: invoke vendor {directory}")
    for path in locks:
        name = str(path.relative_to(directory))
        unlisted |= name not in sums
        try:
            files = read(path).files
        except RigforgeError:
            problems.append(Problem(name, "is no lock that this Rigforge can read"))
            expected.pop(name, None)
            continue
        for file in files:
            unlisted |= sums.get(file.mirror_path) != file.sha256
            expected[file.mirror_path] = Expected(file.mirror_path, file.sha256, file.size)
    if unlisted:
        problems.append(Problem(SUMS, "is not as it was written" if text else "is missing"))
    return sorted([*problems, *compare(expected.values(), directory)])


def stack_file(stack: Stack) -> str:
    """Returns where a stack's file is in a vendored directory."""
    return f"stacks/{stack.name}/{stack.path.name}"


def stacks(directory: Path) -> list[str]:
    """Returns the stacks in `directory`: names, and paths of those that do not come with Rigforge."""
    files = (folder / f"{folder.name}.toml" for folder in sorted(directory.glob("stacks/*/")))
    return [file.stem if file.stem in names() else str(file) for file in files]


def _definition(stack: Stack, lock: Lock) -> dict[str, bytes]:
    """Returns the stack's files and its lock by place, so that the stack can be loaded and built from there.

    A folder for each stack, because two may extend different ones of the same name.
    """
    file = stack_file(stack)
    folder = str(Path(file).parent)
    contents = {f"{folder}/{stack.lock_path.name}": to_text(lock).encode(), file: stack.path.read_bytes()}
    for child, parent in pairwise(stack.files):
        extends = read_toml(child)["extends"]
        # A path counts from the child, and a name's file is looked for beside it.
        extends = extends if "/" in extends else parent.name
        file = os.path.normpath(Path(file).parent / extends)
        if extends.startswith("~") or not file.startswith(f"{folder}/"):
            raise RigforgeError(
                f'{child}: extends = "{extends}" leads out of the folder of {stack.path.name}, and cannot go with it',
                "put the file that it extends beside it or below",
            )
        contents[file] = parent.read_bytes()
    return contents


def _copy(files: Sequence[LockedFile], store: Store, directory: Path, partial: Path) -> None:
    def copy(file: LockedFile, read: Reader) -> None:
        source, copied, digest = store.path(file.sha256), partial / file.mirror_path, hashlib.sha256()
        copied.parent.mkdir(parents=True, exist_ok=True)
        with copied.open("wb", buffering=0) as target:
            for chunk in read(source):
                digest.update(chunk)
                rest = memoryview(chunk)
                while rest:
                    rest = rest[target.write(rest) :]
        if digest.hexdigest() != file.sha256:
            raise RigforgeError(f"{source} ({file.file}) is damaged", "remove it; the same command fetches it again")
        _place(copied, directory, file.mirror_path)

    in_threads("vendoring", files, sum(file.size for file in files), copy)


def _put(content: bytes, directory: Path, path: str, partial: Path) -> None:
    """Writes a small file."""
    written = partial / Path(path).name
    written.write_bytes(content)
    _place(written, directory, path)


def _place(written: Path, directory: Path, path: str) -> None:
    """Gives a file its place. Raises RigforgeError where a link that is there already leads out of `directory`."""
    folder = (directory / path).parent
    if not folder.resolve().is_relative_to(directory.resolve()):
        raise RigforgeError(f"{folder} leads out of {directory}, to {folder.resolve()}", "remove that link")
    folder.mkdir(parents=True, exist_ok=True)
    written.replace(directory / path)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


@contextmanager
def _partial(directory: Path) -> Iterator[Path]:
    """Makes a folder for files that are being written, and removes it; a run that was killed has left one."""
    folder = directory / PARTIAL
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _disk(directory: Path) -> Iterator[None]:
    """Says in the user's terms what is wrong with the disk that `directory` is on."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(directory) from error
        raise RigforgeError(
            f"cannot use {error.filename or directory}: {error.strerror}", "make it readable and writable for this user"
        ) from error


def _full(directory: Path, how: str = "") -> RigforgeError:
    return RigforgeError(
        f"the disk of {directory} is full{how}", "make room; what is there is kept, and the same command goes on"
    )
