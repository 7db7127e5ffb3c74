"""A file as a lock has it, and the layers that files are divided into."""

from __future__ import annotations

from dataclasses import dataclass

from rigforge.errors import RigforgeError
from rigforge.records import form

#: Bottom first. `doctor` and `module` hold what only packing rigforge-doctor and compiling the kernel module need; they
#: are never shipped. `medium` holds the ISO of the distribution that ours is made from.
LAYERS = ("base", "cuda", "python", "devel", "doctor", "module", "host", "medium")
#: Those of which no file reaches a machine or an image.
NOT_SHIPPED = ("doctor", "module")


@dataclass(frozen=True, order=True)
class LockedFile:
    """One file of a layer.

    `file` is the archive's role and the path within it (`debian:pool/main/b/bash/…deb`) or, for a wheel,
    the role and the file name (`pypi:torch-2.10.0-3-cp311-…whl`; the name, because a version can have
    several builds). `size` is in bytes, `sha256` in lower-case hex. A conda package
    has the `environment` it is for, which follows in its line.

    Raises RigforgeError for a value that has not its form (`rigforge.records.form`): none of them leads elsewhere.
    """

    layer: str
    kind: str
    name: str
    version: str
    file: str
    size: int
    sha256: str
    environment: str = ""

    def __post_init__(self) -> None:
        if self.layer not in LAYERS or self.kind not in form.PLACES:
            raise RigforgeError(f"there is no layer {self.layer!a} with files of kind {self.kind!a}")
        form.check_file(self.kind, self.name, self.version, self.file, self.size, self.sha256)
        with form.said_by(self.name):
            form.ENVIRONMENT.check("environment", self.environment)

    @property
    def basename(self) -> str:
        """The name of the file itself, without role and directories."""
        return self.file.partition(":")[2].rpartition("/")[2]

    @property
    def mirror_path(self) -> str:
        """Where the file is in a mirror directory: `debian/pool/main/b/bash/…deb`, `pypi/torch-…whl`."""
        return self.file.replace(":", "/", 1)
