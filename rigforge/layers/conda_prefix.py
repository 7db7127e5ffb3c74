"""The program that links conda packages into a prefix of a root; apart, since being confined has no way back."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rattler import Channel, PrefixRecord, RepoDataRecord, Subdir, install
from rattler.install import InstallerReporter
from rattler.networking import Client

from rigforge.layers import confine
from rigforge.layers.environment import LinkRequest

#: Where the layer's files are, and where they are unpacked: on one file system with the prefix, so that
#: files are linked and not copied.
FILES = Path("/run/files")
UNPACKED = Path("/opt/.unpacked")

#: What conda-meta tells of the machine that installs, and of nothing that is there later.
OF_THE_BUILD = ("extracted_package_dir", "package_tarball_full_path", "link")


class Scripts(InstallerReporter):
    """Remembers the packages whose scripts failed, which rattler does not take for an error."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self._names: list[str] = []

    def on_post_link_start(self, package_name: str, script_path: str) -> int:
        self._names.append(f"{package_name} ({script_path})")
        return len(self._names) - 1

    def on_post_link_complete(self, index: int, success: bool) -> None:
        if not success:
            self.failed.append(self._names[index])


async def link(prefix: Path, files: Sequence[Path], client: Client) -> list[str]:
    """Links package files into a prefix, beside the packages that are there; returns those whose scripts failed."""
    records: list[RepoDataRecord] = [PrefixRecord.from_path(path) for path in sorted(prefix.glob("conda-meta/*.json"))]
    additions = [await RepoDataRecord.from_package_archive(file) for file in files]
    scripts = Scripts()  # type: ignore[abstract]
    await install(
        [*records, *additions],
        target_prefix=prefix,
        cache_dir=UNPACKED,
        platform=Subdir("linux-64"),
        execute_link_scripts=True,
        show_progress=False,
        client=client,
        reporter=scripts,
    )
    shutil.rmtree(UNPACKED)
    return scripts.failed


def settle(prefix: Path, packages: Mapping[str, Path]) -> None:
    """Rewrites conda-meta of packages (role and path): from which channel they are, and nothing of this machine.

    The channel's address is the one conda itself knows it by, whatever mirror the files came from.
    """
    by_file = {file.name: package for package, file in packages.items()}
    for path in sorted(prefix.glob("conda-meta/*.json")):
        metadata = json.loads(path.read_text(encoding="utf-8"))
        if package := by_file.get(metadata["fn"]):
            role, _, place = package.partition(":")
            base = Channel(role).base_url
            facts = {key: value for key, value in metadata.items() if key not in OF_THE_BUILD}
            path.write_text(json.dumps({**facts, "url": f"{base}{place}", "channel": base}, indent=2), encoding="utf-8")
        path.chmod(0o644)


def main() -> None:
    """Links what the `LinkRequest` on standard input, as JSON, names."""
    request = LinkRequest(**json.load(sys.stdin))
    asyncio.run(asyncio.sleep(0))  # What is imported when first used is not to be found later.
    client = Client()  # It reads certificates, which not every root has; nothing is downloaded.
    del os.environ["PYTHONPATH"]
    confine.enter(request.root)
    prefix = Path(request.prefix)
    packages = {package: FILES / package.rpartition("/")[2] for package in request.packages}
    failures = asyncio.run(link(prefix, list(packages.values()), client))
    settle(prefix, packages)
    if failures:
        sys.exit(f"the post-link script failed of {', '.join(failures)}")


if __name__ == "__main__":
    main()
    # Without Python's own end: rattler's threads may still be letting go of the interpreter, and abort (exit -6).
    os._exit(0)
