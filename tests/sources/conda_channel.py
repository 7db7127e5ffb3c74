"""A small conda channel: packages of both kinds, built by rattler-build, and an index by rattler itself."""

from __future__ import annotations

import asyncio
import functools
import json
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rattler.index import index_fs
from rattler_build import Stage0Recipe

#: What stands for the prefix in a file of a package; there, rattler-build has a prefix as long as a placeholder is.
TOKEN = "@PREFIX@"

#: Characters of a placeholder, in which any prefix is to fit (docs.conda.io, "Making packages relocatable").
PLACEHOLDER_LENGTH = 255

#: A Python for tests: it is the machine's own shell script, since a real one is in no archive that tests may ask.
PYTHON = '#!/bin/sh\nexec /usr/bin/python3 "$@"\n'


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
        entry_points: Sequence[str] = (),
        suffix: str = ".conda",
    ) -> Path:
        """Adds a package of `files`; returns its file."""
        build_section = {"number": 0, "string": build, **({"noarch": noarch} if noarch else {})}
        if entry_points:
            build_section["python"] = {"entry_points": list(entry_points)}
        recipe = {
            "package": {"name": name, "version": version},
            "build": build_section,
            "requirements": {"run": list(depends)},
            "about": {"license": "BSD-3-Clause"},
        }
        archive = self.path / ("noarch" if noarch else "linux-64") / f"{name}-{version}-{build}{suffix}"
        archive.write_bytes(_built(json.dumps(recipe), suffix, *(files or {}).items()))
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


@functools.cache
def _built(recipe: str, suffix: str, *files: tuple[str, str | bytes]) -> bytes:
    """Returns a package that rattler-build has built, with programs where they are in bin."""
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryDirectory() as place:
        for path, content in files:
            file = Path(directory, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)
            file.chmod(0o755 if path.startswith("bin/") else 0o644)
        whole = json.loads(recipe)
        whole["build"]["script"] = [
            f"cp -r {shlex.quote(directory)}/. $PREFIX/",
            f"grep -rlZ {TOKEN} $PREFIX | xargs -0r sed -i s#{TOKEN}#$PREFIX#",
        ]
        kind = suffix.removeprefix(".").replace(".", "-")
        (built,) = Stage0Recipe.from_dict(whole).run_build(output_dir=place, channels=[], package_format=kind)
        (package,) = built.packages
        return package.read_bytes()
