"""What the archives of distributions have: the drivers, and the list of PCI ids."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from packaging.version import Version

from rigforge.errors import RigforgeError
from rigforge.lock import debs
from rigforge.process import run
from rigforge.sources.apt import Archive, Root, private_root
from rigforge.sources.mirrors import TIMEOUT, Mirrors, locate

_KEYRINGS = Path("/usr/share/keyrings")
#: "1:580.178.04-0ubuntu0.24.04.1" is driver 580.178.04.
_UPSTREAM = re.compile(r"(?:\d+:)?(\d{3}(?:\.\d+)+)")


class Archives:
    """The archives, by the mirrors that this machine is configured for."""

    def __init__(self, mirrors: Mirrors, session: requests.Session, places: Mapping[str, Any]) -> None:
        self._mirrors, self._session, self._places = mirrors, session, places

    def drivers(self, place: Mapping[str, Any]) -> list[str]:
        """Returns the newest version of each of the driver's packages that an archive of the places has, in order.

        A package of an ended branch that only leads to a later one is that one's.
        """
        newest: dict[str, str] = {}
        with self._root(place, place["suites"]) as root:
            package = place["package"]
            names = root.names(package.removesuffix("*")) if package.endswith("*") else (package,)
            for each in root.available(names) if names else ():
                if (version := _upstream(each.version)) and Version(version) > Version(newest.get(each.name, "0")):
                    newest[each.name] = version
        return sorted({*newest.values()}, key=Version)

    def pci_ids(self) -> str:
        """Returns the list of PCI ids, as the newest package of it has it."""
        place = self._places["pci-ids"]
        return self._file(place, place["package"], place["file"]).decode(errors="replace")

    @contextmanager
    def _root(self, place: Mapping[str, Any], suites: Iterable[str]) -> Iterator[Root]:
        role = place["role"]
        url = self._mirrors.url(role)
        with tempfile.TemporaryDirectory(prefix="rigforge-facts-") as folder:
            keyring = self._keyring(place["keyring"], Path(folder))
            fresh = place.get("check_valid_until", True)
            archives = [Archive(role, url, suite, tuple(place["components"]), keyring, fresh) for suite in suites]
            with private_root("amd64", archives) as root:
                root.update()
                yield root

    def _keyring(self, name: str, folder: Path) -> Path:
        if (there := _KEYRINGS / name).is_file() or name not in self._places["keyrings"]:
            return there
        # Debian's, which is signed with a keyring of this machine, vouches for it.
        content = self._file(self._places["pci-ids"], self._places["keyrings"][name], f"usr/share/keyrings/{name}")
        (folder / name).write_bytes(content)
        return folder / name

    def _file(self, place: Mapping[str, Any], package: str, path: str) -> bytes:
        """Returns a file of the newest version of a package, whose SHA-256 is that of the signed index."""
        with self._root(place, (place["suite"],)) as root:
            (deb,) = (each for each in debs.resolve(root, "base", {package: "facts"}) if each.name == package)
        where = locate(deb, self._mirrors, self._session)
        if isinstance(where, Path):
            content = where.read_bytes()
        else:
            answer = self._session.get(where, timeout=TIMEOUT)
            answer.raise_for_status()
            content = answer.content
        if hashlib.sha256(content).hexdigest() != deb.sha256:
            raise RigforgeError(f"{deb.file} is not what the archive's index says")
        with tempfile.TemporaryDirectory(prefix="rigforge-facts-") as folder:
            file = Path(folder, "package.deb")
            file.write_bytes(content)
            run(["dpkg-deb", "-x", file, Path(folder, "root")])
            return Path(folder, "root", path).read_bytes()


def _upstream(version: str) -> str:
    match = _UPSTREAM.match(version)
    return match[1] if match else ""
