"""An Ubuntu stack to lock: a release's archive, the mirrors that serve it, and a stack file that asks for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.lock.model import Lock
from rigforge.lock.resolve import resolve
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.load import load
from rigforge.stack.model import Stack
from tests.lock.ubuntu_archive import POCKETS, Ubuntu
from tests.lock.workshop import packers_of_the_doctor
from tests.sources.conda_channel import CondaChannel
from tests.sources.serving import served
from tests.sources.signed_archive import Key
from tests.sources.wheel_index import WheelIndex

STACKS = {"jammy": "ubuntu-22.04", "noble": "ubuntu-24.04", "resolute": "ubuntu-26.04"}
EXTENDS = 'extends = "{stack}"\n[[archives]]\n'
SUITE = """\
role = "ubuntu"
suite = "{suite}"
components = ["main", "restricted", "universe", "multiverse"]
keyring = "{keyring}"
"""


def wish(section: str, **values: str | list[str]) -> str:
    """Returns a section of a stack file with these keys."""
    return "\n".join(["", f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items()), ""])


class Desk:
    """A release's archive, the mirrors that serve it, and a stack file that asks for it with the test's key."""

    def __init__(self, folder: Path, key: Key, suite: str, urls: dict[str, str]) -> None:
        self.folder, self.key, self.suite = folder, key, suite
        self.mirrors = Mirrors(urls)
        self.ubuntu = Ubuntu(folder / "served/ubuntu", suite)
        self.file = folder / "rig.toml"
        self.always = ""
        self.write()
        self.ubuntu.release(self.stack)
        self.release_medium()

    @property
    def stack(self) -> Stack:
        return load(self.file)

    @property
    def branch(self) -> str:
        return self.stack.driver.version

    def write(self, *, archives: str = "", more: str = "", components: str = "") -> None:
        """Writes the stack: the one of this release, its three pockets signed with the test's key, and `more`.

        `more` and `always`, which stays, are further sections.
        """
        suites = [f"{self.suite}{pocket}" for pocket in POCKETS]
        text = "\n[[archives]]\n".join(SUITE.format(suite=suite, keyring=self.key.keyring) for suite in suites)
        text = text.replace('["main", "restricted", "universe", "multiverse"]', components) if components else text
        self.file.write_text(EXTENDS.format(stack=STACKS[self.suite]) + text + archives + more + self.always)

    def release_medium(self, version: str = "", content: str = "the medium", *, key: Key | None = None) -> Path:
        """Puts a live-server ISO beside those that are there, and signs the list of them anew."""
        folder = self.folder / "served/ubuntu-releases" / self.suite
        folder.mkdir(parents=True, exist_ok=True)
        medium = folder / f"ubuntu-{version or self.ubuntu.number}-live-server-amd64.iso"
        medium.write_text(content)
        (folder / "ubuntu-24.04.9-desktop-amd64.iso").write_text("another")
        sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()} *{file.name}\n" for file in folder.glob("*.iso")]
        (folder / "SHA256SUMS").write_text("".join(sorted(sums)))
        (key or self.key).sign_list(folder / "SHA256SUMS")
        return medium

    def lock(self) -> Lock:
        self.ubuntu.publish(self.key)
        return resolve(self.stack, self.mirrors)

    def refused(self) -> RigforgeError:
        """Returns the error that the stack is not locked with."""
        with pytest.raises(RigforgeError) as caught:
            self.lock()
        return caught.value


@pytest.fixture
def desk(tmp_path: Path, key: Key, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Desk]]:
    monkeypatch.setenv("RIGFORGE_HOME", str(tmp_path / "home"))
    index = WheelIndex(tmp_path / "served/pypi")
    for torch, cuda, cudnn in (("2.14.1", "13.0.96", "9.24.0.43"), ("2.15.0", "13.2.86", "9.26.0.51")):
        pins = [f"nvidia-cuda-runtime=={cuda}", f"nvidia-cudnn-cu13=={cudnn}"]
        index.add("torch", torch, requires=pins)
        index.add("nvidia-cuda-runtime", cuda)
        index.add("nvidia-cudnn-cu13", cudnn)
        for part in ("nvcc", "cccl", "crt"):
            index.add(f"nvidia-cuda-{part}", cuda)
        index.add("nvidia-nvvm", cuda)
    for name in load("ubuntu-24.04").python.packages:
        index.add(name, "1.0")
    packers_of_the_doctor(index)
    channel = CondaChannel(tmp_path / "served/conda-forge")
    channel.add_python("3.12.11")
    channel.add("conda", "26.1.0", depends=["python"])
    channel.add("mamba", "2.3.0")
    channel.publish()
    with served(tmp_path / "served") as url:
        roles = ("ubuntu", "ubuntu-releases", "ubuntu-snapshot", "nvidia-container-toolkit", "conda-forge")
        urls = {**{role: f"{url}/{role}" for role in roles}, "pypi": f"{url}/pypi/simple"}
        yield lambda suite: Desk(tmp_path, key, suite, urls)
