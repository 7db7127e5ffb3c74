"""A small index of Python packages: wheels made by zipfile, and pages as PEP 503 and PEP 691 have them."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable
from pathlib import Path

from packaging.utils import canonicalize_name


class WheelIndex:
    """An index in a directory: `simple/` with its pages, `files/` with its wheels."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "files").mkdir(parents=True)

    def add(
        self, name: str, version: str, *, requires: Iterable[str] = (), build: str = "", tag: str = "py3-none-any"
    ) -> Path:
        """Makes a wheel, without code but with metadata that uv resolves from."""
        project = name.replace("-", "_")
        info = f"{project}-{version}.dist-info"
        wheel = self.path / "files" / f"{'-'.join(filter(None, [project, version, build, tag]))}.whl"
        needs = "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
            archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
            archive.writestr(f"{info}/RECORD", "")
        self._publish(canonicalize_name(name), f"{project}-")
        return wheel

    def as_html(self, algorithm: str = "sha256") -> None:
        """Replaces all pages by HTML ones, which have hashes but no sizes."""
        for page in self.path.glob("simple/*/index.json"):
            names = [file["filename"] for file in json.loads(page.read_text())["files"]]
            hashes = {
                name: hashlib.new(algorithm, (self.path / "files" / name).read_bytes()).hexdigest() for name in names
            }
            links = "".join(f'<a href="../../files/{n}#{algorithm}={hashes[n]}">{n}</a>' for n in names)
            page.with_name("index.html").write_text(f"<!DOCTYPE html><html><body>{links}</body></html>")
            page.unlink()

    def _publish(self, project: str, prefix: str) -> None:
        page = self.path / "simple" / project / "index.json"
        page.parent.mkdir(parents=True, exist_ok=True)
        files = [
            {
                "filename": wheel.name,
                "url": f"../../files/{wheel.name}",
                "size": wheel.stat().st_size,
                "hashes": {"sha256": hashlib.sha256(wheel.read_bytes()).hexdigest()},
            }
            for wheel in sorted(self.path.glob(f"files/{prefix}*"))
        ]
        page.write_text(json.dumps({"meta": {"api-version": "1.1"}, "name": project, "files": files}))
