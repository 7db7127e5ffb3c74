"""What a lock holds, and its text: TOML, one line a file, the same bytes for the same content."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from itertools import chain, groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rigforge import atomic, distributions
from rigforge.doctor import build
from rigforge.errors import RigforgeError
from rigforge.foreign import boundary
from rigforge.records import form
from rigforge.records.archive import LockedArchive
from rigforge.records.file import LAYERS, LockedFile

if TYPE_CHECKING:
    from rigforge.stack.model import Stack

FORMAT = 1

#: Seconds since 1970 that no archive's date reaches: what fits the file systems that are made.
LATEST = 2**32

_HEADER = """\
# Made by `invoke lock --stack {stack}`. Not to be edited: `invoke lock --stack {stack} --upgrade` renews it.
# A file is: name, version, archive role and path within the archive, size in bytes, sha256.
"""


@dataclass(frozen=True)
class Decision:
    """Whether the locked versions go together, and why.

    `verdict` is "native" or "minor-compat" as the solver says, "no driver" where the stack has none, "unknown" where
    the tables do not have a version, "impossible" where the stack was locked all the same: `forced` says why.
    """

    verdict: str
    reasons: tuple[str, ...]
    forced: str = ""


@dataclass(frozen=True)
class Lock:
    """All files of one stack.

    `stack_sha256` is what `asked` returned for the stack, `source_date_epoch` the newest Date of
    the archives (seconds since 1970). `versions` names what people ask for: kernel,
    kernel_package_version, driver, cuda, cudnn, pytorch, python, jupyterlab, as far as they apply. `decision`
    is there where the stack has GPU software.
    """

    stack: str
    stack_sha256: str
    source_date_epoch: int
    versions: dict[str, str]
    archives: tuple[LockedArchive, ...]
    files: tuple[LockedFile, ...]
    decision: Decision | None = None

    def part(self, layer: str) -> tuple[LockedFile, ...]:
        """Returns the files of one of `rigforge.records.file.LAYERS`."""
        return tuple(file for file in self.files if file.layer == layer)

    @property
    def base_iso(self) -> LockedFile | None:
        """The ISO of others that the install medium is made from; None where the medium is all our own."""
        return next(iter(self.part("medium")), None)


def in_order(files: Iterable[LockedFile]) -> tuple[LockedFile, ...]:
    """Returns the files in the order of the layers, then by kind, name and version."""
    return tuple(sorted(files, key=lambda file: (LAYERS.index(file.layer), file)))


def to_text(lock: Lock) -> str:
    """Returns the lock as TOML; equal locks give equal text."""
    body = _body(lock)
    return f'{_HEADER.format(stack=lock.stack)}format = {FORMAT}\nchecksum = "{_sha256(body)}"\n{body}'


def digest(lock: Lock) -> str:
    """Returns the SHA-256 (hex) of the lock file."""
    return _sha256(to_text(lock))


def read(path: Path) -> Lock:
    """Reads the lock file of a stack.

    Raises RigforgeError where there is none, or where it is not as `invoke lock` wrote it.
    """
    command = f"invoke lock --stack {path.stem}"
    try:
        with boundary(f"{path}: damaged lock", f"make it anew: {command}"):
            data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RigforgeError(f"{path}: there is no lock yet", f"make it: {command}") from None
    if data.get("format") != FORMAT:
        raise RigforgeError(
            f"{path}: lock format {data.get('format')!r}, but this Rigforge reads format {FORMAT}",
            f"make it anew: {command}",
        )
    try:
        with form.said_by(f"{path}: the lock was edited by hand, damaged or forged", f"make it anew: {command}"):
            lock = _from_table(data)
        checksum_matches = data["checksum"] == _sha256(_body(lock))
    except (AttributeError, KeyError, TypeError, ValueError):
        checksum_matches = False
    if not checksum_matches:
        raise RigforgeError(
            f"{path}: the lock was edited by hand or damaged (its checksum is not that of its content)",
            f"restore the file, or make it anew: {command}; what goes into it is asked for in the stack file",
        )
    return lock


def write(lock: Lock, path: Path) -> None:
    """Writes the lock file, whole or not at all, and makes its folder where that is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.making(path) as temporary_path:
        temporary_path.write_text(to_text(lock), encoding="utf-8")
        temporary_path.chmod(0o644)


def asked(stack: Stack) -> str:
    """Returns the SHA-256 (hex) of all that a lock answers: the stack, and what its distribution and the doctor add."""
    distribution = distributions.of(stack)
    additions = [
        (stack.kernel.package,),
        distribution.driver.user_space,
        distribution.driver.compiling,
        (*distribution.installer.packages, *chain.from_iterable(distribution.installer.pool_loaders)),
        build.DEBS,
        build.WHEELS,
    ]
    return _sha256(json.dumps([stack.checksum(), additions]))


def of_stack(stack: Stack) -> Lock:
    """Returns the lock that a stack has. Raises RigforgeError where there is none, or it does not fit."""
    lock = read(stack.lock_path)
    check(lock, stack, stack.lock_path)
    return lock


def check(lock: Lock, stack: Stack, path: Path) -> None:
    """Checks that a lock read from `path` was made from this stack as it is now.

    Raises RigforgeError with the command that renews the lock.
    """
    if lock.stack != stack.name:
        reason = f"it was made for stack {lock.stack}"
    elif lock.stack_sha256 != asked(stack):
        reason = f"stack {stack.name} has changed since it was made"
    else:
        return
    raise RigforgeError(f"{path}: stale lock: {reason}", f"renew it: invoke lock --stack {stack.name}")


def _body(lock: Lock) -> str:
    """Everything that the checksum covers."""
    lines = [
        f"stack = {_quoted(lock.stack)}",
        f"stack_sha256 = {_quoted(lock.stack_sha256)}",
        f"source_date_epoch = {lock.source_date_epoch}",
        "",
        "[versions]",
        *(f"{name} = {_quoted(version)}" for name, version in sorted(lock.versions.items())),
    ]
    if lock.decision:
        lines += ["", "[decision]", f"verdict = {_quoted(lock.decision.verdict)}"]
        lines += ["reasons = [", *(f"  {_quoted(reason)}," for reason in lock.decision.reasons), "]"]
        lines += [f"forced = {_quoted(lock.decision.forced)}"] if lock.decision.forced else []
    for archive in sorted(lock.archives):
        lines += ["", "[[archives]]", *(f"{key} = {_quoted(value)}" for key, value in vars(archive).items())]
    for layer, part in groupby(in_order(lock.files), key=attrgetter("layer")):
        lines += ["", f"[files.{layer}]"]
        for kind, files in groupby(part, key=attrgetter("kind")):
            lines += [f"{kind} = [", *(f"  {_quoted(_line(file))}," for file in files), "]"]
    return "\n".join([*lines, ""])


def _line(file: LockedFile) -> str:
    return f"{file.name} {file.version} {file.file} {file.size} {file.sha256} {file.environment}".rstrip()


def _from_table(data: dict[str, Any]) -> Lock:
    files = [
        file
        for layer, kinds in data.get("files", {}).items()
        for kind, lines in kinds.items()
        for file in _files(layer, kind, lines)
    ]
    for key, version in data["versions"].items():
        form.VERSION.check(f"versions.{key}", version)
    for archive in data.get("archives", ()):
        form.ROLE.check("archives: role", archive["role"])
        form.SUITE.check("archives: suite", archive["suite"])
        with boundary("archives: date"):
            parsedate_to_datetime(archive["date"]).timestamp()
    if not 0 <= data["source_date_epoch"] < LATEST:
        raise RigforgeError(f"source_date_epoch: must be seconds since 1970, fewer than {LATEST}")
    return Lock(
        stack=data["stack"],
        stack_sha256=data["stack_sha256"],
        source_date_epoch=data["source_date_epoch"],
        versions=data["versions"],
        archives=tuple(sorted(LockedArchive(**archive) for archive in data.get("archives", ()))),
        files=in_order(files),
        decision=_decision(data["decision"]) if "decision" in data else None,
    )


def _files(layer: str, kind: str, lines: Iterable[str]) -> Iterator[LockedFile]:
    for number, line in enumerate(lines):
        with form.said_by(f"files.{layer}.{kind}[{number}]"):
            name, version, file, size, sha256, *environment = line.split(" ")
            yield LockedFile(layer, kind, name, version, file, int(size), sha256, *environment)


def _decision(table: dict[str, Any]) -> Decision:
    return Decision(table["verdict"], tuple(table["reasons"]), table.get("forced", ""))


def _quoted(text: str) -> str:
    # A JSON string is a TOML basic string as well.
    return json.dumps(text, ensure_ascii=False)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
