"""A stack, and the mirrors that serve what it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from rigforge.doctor.build import WHEELS
from rigforge.lock.model import Lock
from rigforge.lock.resolve import resolve
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.load import load
from rigforge.stack.model import Stack
from tests.sources.wheel_index import WheelIndex

#: The versions of the driver that the archives have.
OLD, NEW = "535.261.03-1", "535.309.01-1~deb12u1"

STACK = """
[system]
distribution = "debian"
suite = "bookworm"

[[archives]]
role = "debian"
suite = "bookworm"
components = ["main"]
keyring = "KEYRING"

[[archives]]
role = "debian-security"
suite = "bookworm-security"
components = ["main"]
keyring = "KEYRING"

[kernel]
package = "linux-image-amd64"

[packages]
base = ["python3"]
host = ["openssh-server"]
devel = ["g++"]
"""

GPU = """
[driver]
provider = "apt"
version = "535.309.01"
[cuda]
provider = "pypi"
version = "12.8"
[cudnn]
version = "9.10.2.21"
[pytorch]
provider = "pypi"
version = "2.10.0"
[python]
provider = "system"
version = "3.11"
packages = ["jupyterlab"]
[devel]
python_packages = ["nvidia-cuda-nvcc-cu12"]
"""


def written(folder: Path, keyring: Path, *parts: str) -> Stack:
    path = folder / "rig.toml"
    path.write_text("".join([STACK, *parts]).replace("KEYRING", str(keyring)))
    return load(path)


def packers_of_the_doctor(index: WheelIndex) -> None:
    """Adds what every stack has wheels of: PyInstaller and what rigforge-doctor imports."""
    for wish in map(Requirement, WHEELS):
        index.add(wish.name, "1.0", requires=["altgraph"] if wish.name == "pyinstaller" else [])
    index.add("altgraph", "1.0")


@dataclass
class Workshop:
    """A stack file, and the mirrors that serve what it asks for."""

    folder: Path
    keyring: Path
    mirrors: Mirrors

    def stack(self, *parts: str) -> Stack:
        """Writes the stack `rig`: the least that a stack has, and `parts`."""
        return written(self.folder, self.keyring, *parts)

    def change(self, stack: Stack, old: str, new: str) -> Stack:
        """Replaces a piece of the stack's file."""
        text = stack.path.read_text()
        assert old in text
        stack.path.write_text(text.replace(old, new))
        return load(stack.path)

    def lock(self, stack: Stack, *, previous: Lock | None = None, upgrade: bool = False) -> Lock:
        return resolve(stack, self.mirrors, previous=previous, upgrade=upgrade)
