"""What an artifact is to the rest of Rigforge: one class, and the records that it answers with.

An artifact that is one file has most answers from here; one that is a folder gives its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Generic, Literal, TypeVar

from rigforge.artifacts import recheck
from rigforge.artifacts.stamp import Stamp
from rigforge.foreign import leaving_out
from rigforge.layers.build import Cache
from rigforge.layers.plan import Layer, plan
from rigforge.lock.model import Lock
from rigforge.paths import home
from rigforge.records.checksums import parse
from rigforge.records.file import LockedFile
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.model import Stack
from rigforge.store.comparison import Expected
from rigforge.store.store import Store

#: Ends of the names of what lies beside an artifact.
CHECKSUMS, SBOM, PROVENANCE = ".sha256", ".cdx.json", ".intoto.json"

#: What reports call these.
DOCUMENTS = {
    CHECKSUMS: "checksums",
    SBOM: "bill of materials (CycloneDX)",
    PROVENANCE: "provenance (in-toto)",
}


@dataclass(frozen=True)
class Build:
    """One build: the stack and its lock, where files come from, and the folder `out` for the artifact.

    With `check` all that earlier builds left is read again, and what is damaged made anew.
    """

    stack: Stack
    lock: Lock
    mirrors: Mirrors
    out: Path
    offline: bool = False
    check: bool = False

    @property
    def cache(self) -> Cache:
        """The built layers of this machine."""
        return Cache(home())

    @property
    def store(self) -> Store:
        """The downloaded files of this machine."""
        return Store(home() / "store")


@dataclass(frozen=True)
class Subject:
    """What an SBOM is of: an operating system by its file's name, or a container image by its name."""

    name: str
    kind: Literal["system", "image"]


@dataclass(frozen=True)
class Bill:
    """An SBOM to be written: the name of its file beside the artifact, what it is of, and of which layers that is."""

    file: str
    subject: Subject
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class Product:
    """An artifact as a build left it, and what is to be attested of it.

    `changed` says whether this build wrote it. `layers` are those that it was made of, with the ones that only serve
    to build others. `sha256` (hex) is of its file, or of the index in its folder, where that is known already;
    `subjects` maps names to the sha256 (hex) of what the provenance is of, where that is not this file.
    """

    path: Path
    changed: bool
    layers: tuple[Layer, ...]
    bills: tuple[Bill, ...]
    sha256: str | None = None
    subjects: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """A step, as the build itself names it; `seconds` is None where it was not measured."""

    name: str
    seconds: float | None


@dataclass(frozen=True)
class Digest:
    """What has a digest (`sha256:` and hex, "" where no checksum file has it), and its bytes."""

    name: str
    size: int
    digest: str


@dataclass(frozen=True)
class Attachment:
    """A file that a report links to: what it is, and where."""

    title: str
    path: Path


@dataclass(frozen=True)
class Result:
    """An artifact as a report tells of it, as far as it is there.

    `sizes` are figures of the whole page, in bytes by their names. `medium` is the id of the medium that machines are
    installed from, "" where it is not as the build left it, None where none is.
    """

    sizes: Mapping[str, int] = field(default_factory=dict)
    digests: tuple[Digest, ...] = ()
    steps: tuple[Step, ...] = ()
    files: tuple[Attachment, ...] = ()
    medium: str | None = None


P_co = TypeVar("P_co", bound=Product, covariant=True)


class Artifact(ABC, Generic[P_co]):
    """Something that is made of a stack. Its fields are the options of the task that makes it.

    Paths are those of a finished artifact, `path(stack, folder)`: a file, or the folder that has the file `index`.
    """

    #: The task that makes it, for people and for `invoke reproduce`.
    task: ClassVar[str]

    #: What it is in a message; of a file, what reports call its size and the link to it.
    noun: ClassVar[str]
    figure: ClassVar[str] = ""
    title: ClassVar[str] = ""

    #: Its name, as a format with `stack`; of a file without its end, which is `suffix`.
    name: ClassVar[str]
    suffix: ClassVar[str] = ""

    #: Its folder among all results, "" for that of the results themselves.
    folder: ClassVar[str] = ""

    #: The file in it that vouches for everything else in it, where it is a folder.
    index: ClassVar[str] = ""

    #: Whether the site's values are in it.
    of_site: ClassVar[bool]

    #: Where `invoke verify-…` leaves its reports: folders among all results, as formats with `stack`, by their subject.
    trials: ClassVar[Mapping[str, str]] = {}

    def fits(self, lock: Lock) -> bool:
        """Returns whether the stack of a lock has it."""
        return True

    def layers(self, stack: Stack, lock: Lock) -> tuple[Layer, ...]:
        """Returns the layers that it takes, bottom first, with the ones that only serve to build others."""
        return plan(stack, lock)

    def files(self, lock: Lock) -> tuple[LockedFile, ...]:
        """Returns the locked files that it takes besides those of its layers."""
        return ()

    @abstractmethod
    def make(self, build: Build) -> P_co:
        """Makes it; what is there already is used again.

        Raises RigforgeError; what was complete before the error is kept for the next run.
        """

    def path(self, stack: str, folder: Path) -> Path:
        """Returns where it is of the stack of this name, in its folder."""
        return folder / f"{self.name.format(stack=stack)}{self.suffix}"

    def beside(self, path: Path, end: str) -> Path:
        """Returns the file beside it that has its name and this end."""
        return path.with_name(path.name.removesuffix(self.suffix) + end)

    def at(self, path: Path) -> bool:
        """Returns whether a file or folder is one."""
        return (path / self.index).is_file() if self.index else path.name.endswith(self.suffix) and path.is_file()

    def read_again(self, build: Build, layers: Sequence[Layer]) -> None:
        """Reads what earlier builds left of it and of `layers`; what is damaged is named, and will be made anew."""
        recheck.read_again(layers, build.cache, build.mirrors, offline=build.offline)
        self.forget_damaged(self.path(build.stack.name, build.out))

    def forget_damaged(self, path: Path) -> None:
        """Reads it, where it is there, and has the next build make anew what is damaged."""
        if path.exists() and not recheck.is_whole(path, self.beside(path, CHECKSUMS)):
            Stamp.forget(path)

    def contents(self, path: Path) -> Iterator[Sequence[Expected]]:
        """Yields what the index of a folder vouches for; the next is read from what was yielded, once that is whole."""
        yield from ()

    def members(self, path: Path) -> dict[str, str]:
        """Returns the sha256 (hex) of its parts by their names, as far as those are compared by themselves."""
        return {}

    def extract(self, path: Path, member: str, target: Path) -> bool:
        """Puts one of its `members` into the file `target`; returns whether there is one."""
        return False

    def result(self, path: Path, cache: Cache) -> Result:
        """Returns what a report tells of it. The artifact itself is not read."""
        documents = [Attachment(title, self.beside(path, end)) for end, title in DOCUMENTS.items()]
        files = tuple(document for document in documents if document.path.exists())
        if not path.exists():
            return Result(files=files)
        size, stamp = path.stat().st_size, Stamp.of(path)
        return Result(
            sizes={self.figure: size},
            digests=(Digest(path.name, size, _listed(self.beside(path, CHECKSUMS), path.name)),),
            steps=(Step(f"writing {path.name}", stamp.seconds if stamp else None),),
            files=(Attachment(self.title, path), *files),
        )


def _listed(checksums: Path, name: str) -> str:
    sums: dict[str, str] = {}
    with leaving_out(checksums):
        sums = parse(checksums.read_text()) if checksums.exists() else {}
    return f"sha256:{sums[name]}" if name in sums else ""
