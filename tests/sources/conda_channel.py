"""A small conda channel: packages of both kinds written in their formats, and an index by rattler itself.

A `.conda` file is a ZIP file with two tars, a `.tar.bz2` one tar (docs.conda.io, "Conda package specification").
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import zstandard
from rattler.index import index_fs

#: As long as the placeholder of conda-build, so that any prefix fits in its place.
PLACEHOLDER = "/opt/placehold" + "_placehold" * 22

#: A Python for tests: it is the machine's own shell script, since a real one is in no archive that tests may ask.
PYTHON = '#!/bin/sh\nexec /usr/bin/python3 "$@"\n'

#: Times of all files in packages (seconds since 1970).
MADE = 1_600_000_000


class CondaChannel:
    """A channel in a directory, with the subdirectories linux-64 and noarch."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for subdir in ("linux-64", "noarch"):
            (path / subdir).mkdir(parents=True)

    def add(
        self,
        name: str,
        version: str,
        *,
        build: str = "0",
        depends: Sequence[str] = (),
        noarch: str = "",
        files: Mapping[str, str | bytes] | None = None,
        link: Mapping[str, Any] | None = None,
        suffix: str = ".conda",
    ) -> Path:
        """Makes a package; a file that has `PLACEHOLDER` in it is noted for the replacement of its prefix."""
        content = {path: text.encode() if isinstance(text, str) else text for path, text in (files or {}).items()}
        index = {
            "name": name,
            "version": version,
            "build": build,
            "build_number": 0,
            "depends": list(depends),
            "subdir": "noarch" if noarch else "linux-64",
            "license": "BSD-3-Clause",
            **({"noarch": noarch} if noarch else {}),
        }
        info = {
            "info/index.json": index,
            "info/paths.json": {"paths_version": 1, "paths": [_path(*item) for item in sorted(content.items())]},
            "info/about.json": {},
            **({"info/link.json": {"package_metadata_version": 1, **link}} if link else {}),
        }
        metadata = {path: json.dumps(value).encode() for path, value in info.items()}
        archive = self.path / index["subdir"] / f"{name}-{version}-{build}{suffix}"
        if suffix == ".conda":
            _write_conda(archive, metadata, content)
        else:
            with tarfile.open(archive, "w:bz2") as tar:
                _fill(tar, metadata | content)
        return archive

    def add_python(self, version: str, *, name: str = "python") -> Path:
        """Makes a Python of a version, which is enough of one to run scripts with the machine's own."""
        minor = ".".join(version.split(".")[:2])
        files = {"bin/python": PYTHON, f"bin/python{minor}": PYTHON, f"lib/python{minor}/site-packages/README.txt": ""}
        return self.add(name, version, files=files)

    def publish(self) -> None:
        """Writes repodata.json of both subdirectories."""
        asyncio.run(index_fs(self.path, write_zst=False, write_shards=False, force=True))

    def edit(self, **changed: Any) -> None:
        """Changes the record of every package in the index; None removes a key."""
        for file in self.path.glob("*/repodata.json"):
            data = json.loads(file.read_text())
            for packages in (data["packages"], data["packages.conda"]):
                for record in packages.values():
                    record.update(changed)
                    for key in [key for key, value in record.items() if value is None]:
                        del record[key]
            file.write_text(json.dumps(data))


def _path(path: str, content: bytes) -> dict[str, Any]:
    known = {
        "_path": path,
        "path_type": "hardlink",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_in_bytes": len(content),
    }
    if PLACEHOLDER.encode() in content:
        known |= {"prefix_placeholder": PLACEHOLDER, "file_mode": "binary" if b"\0" in content else "text"}
    return known


def _write_conda(archive: Path, metadata: Mapping[str, bytes], content: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(archive, "w") as whole:
        whole.writestr("metadata.json", json.dumps({"conda_pkg_format_version": 2}))
        for part, files in (("info", metadata), ("pkg", content)):
            buffer = io.BytesIO()
            with tarfile.open(fileobj=buffer, mode="w") as tar:
                _fill(tar, files)
            name = f"{part}-{archive.stem}.tar.zst"
            whole.writestr(name, zstandard.ZstdCompressor().compress(buffer.getvalue()))


def _fill(tar: tarfile.TarFile, files: Mapping[str, bytes]) -> None:
    for path, content in sorted(files.items()):
        member = tarfile.TarInfo(path)
        member.size, member.mtime = len(content), MADE
        member.mode = 0o755 if os.path.dirname(path) == "bin" or path.endswith(".sh") else 0o644  # noqa: PTH120
        tar.addfile(member, io.BytesIO(content))
