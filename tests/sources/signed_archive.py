"""A small signed apt archive, made with the tools that make the real ones: dpkg-deb, apt-ftparchive, gpg."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest


class Key:
    """A throwaway signing key in a GNUPGHOME of its own; `keyring` is the file for apt."""

    def __init__(self) -> None:
        # A short path: gpg-agent's sockets lie there, and the name of a socket has at most 108 bytes.
        self._home = Path(tempfile.mkdtemp(prefix="key-"))
        self.keyring = self._home / "archive-keyring.gpg"
        self._gpg("--quick-gen-key", "Test Archive <archive@example.org>", "ed25519", "sign", "never")
        self._gpg("--output", str(self.keyring), "--export")

    @property
    def armored(self) -> str:
        """The public key as text."""
        argv = ["gpg", "--batch", "--armor", "--export"]
        return subprocess.run(argv, env=self._environment(), check=True, capture_output=True, text=True).stdout

    def sign(self, release: Path, *, apart: bool = False) -> None:
        """Makes InRelease beside Release, or with `apart` Release.gpg."""
        how, name = ("--armor --detach-sign", "Release.gpg") if apart else ("--clearsign", "InRelease")
        self._gpg("--yes", "--output", str(release.with_name(name)), *how.split(), str(release))

    def sign_list(self, sums: Path) -> None:
        """Makes SHA256SUMS.gpg beside SHA256SUMS, as the lists of media have it."""
        self._gpg("--yes", "--output", f"{sums}.gpg", "--armor", "--detach-sign", str(sums))

    def close(self) -> None:
        subprocess.run(["gpgconf", "--kill", "all"], env=self._environment(), check=False)
        # The agent takes its sockets away by itself, at the same time.
        shutil.rmtree(self._home, ignore_errors=True)

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "GNUPGHOME": str(self._home)}

    def _gpg(self, *words: str) -> None:
        argv = ["gpg", "--batch", "--quiet", "--pinentry-mode=loopback", "--passphrase=", *words]
        subprocess.run(argv, env=self._environment(), check=True, capture_output=True)


@pytest.fixture(scope="session")
def key() -> Iterator[Key]:
    made = Key()
    yield made
    made.close()


class SignedArchive:
    """An archive in a directory, with `dists/` and `pool/`, as a mirror serves it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(
        self,
        suite: str,
        name: str,
        version: str = "1.0-1",
        *,
        component: str = "main",
        files: Mapping[str, str] | None = None,
        **fields: str,
    ) -> Path:
        """Builds a package into the pool of a suite; `fields` are further ones of its control file (`_` for `-`).

        `files` have their text by path; what begins with `#!` can be run, and DEBIAN/postinst is run by dpkg.
        """
        pool = self.path / "pool" / suite / component
        pool.mkdir(parents=True, exist_ok=True)
        return pack(pool, name, version, fields, partial(write, files or {}))

    def publish(self, suite: str, key: Key | None, *, apart: bool = False, **fields: str) -> Path:
        """Writes the suite's indices and Release file, signed with `key`; returns the suite's directory in `dists/`.

        `fields` are set in the Release file (`_` for `-`). A suite without packages has an empty component `main`.
        """
        dist, pool = self.path / "dists" / suite, self.path / "pool" / suite
        if not pool.exists():
            (pool / "main").mkdir(parents=True)
        components = sorted(path.name for path in pool.iterdir())
        for component in components:
            index = dist / component / "binary-amd64/Packages"
            index.parent.mkdir(parents=True, exist_ok=True)
            index.write_text(self._ftparchive("packages", f"pool/{suite}/{component}"))
        for old in ("Release", "InRelease", "Release.gpg"):
            (dist / old).unlink(missing_ok=True)
        made = self._ftparchive("release", f"dists/{suite}").splitlines()
        sums = made[made.index("SHA256:") :]
        head = {"Suite": suite, "Codename": suite, "Architectures": "amd64", "Components": " ".join(components)}
        date = next(line for line in made if line.startswith("Date: "))
        head |= {
            "Date": date.removeprefix("Date: "),
            **{field.replace("_", "-"): value for field, value in fields.items()},
        }
        (dist / "Release").write_text("\n".join([*(f"{k}: {v}" for k, v in head.items()), *sums, ""]))
        if key:
            key.sign(dist / "Release", apart=apart)
        return dist

    def _ftparchive(self, *words: str) -> str:
        return _command(["apt-ftparchive", *words], self.path)


def write(files: Mapping[str, str], root: Path) -> None:
    """Writes files (their text by path) below `root`; what begins with `#!` can be run."""
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755 if text.startswith("#!") else 0o644)


def pack(
    folder: Path,
    name: str,
    version: str,
    fields: Mapping[str, str],
    fill: Callable[[Path], None] = lambda root: None,
    postinst: str = "",
) -> Path:
    """Builds a package into a folder: `fill` puts its files below the directory that it is given."""
    control = {"Package": name, "Version": version, "Architecture": "amd64", "Maintainer": "A <a@example.org>"}
    control |= {"Priority": "optional", "Description": "test"}
    control |= {field.replace("_", "-"): value for field, value in fields.items()}
    with tempfile.TemporaryDirectory() as root:
        inside = Path(root) / "DEBIAN"
        inside.mkdir()
        (inside / "control").write_text("".join(f"{k}: {v}\n" for k, v in control.items()))
        if postinst:
            (inside / "postinst").write_text(postinst)
            (inside / "postinst").chmod(0o755)
        fill(Path(root))
        Path(root).chmod(0o755)
        deb = folder / f"{name}_{version.partition(':')[2] or version}_amd64.deb"
        _command(["dpkg-deb", "--root-owner-group", "-Znone", "--build", root, str(deb)])
    return deb


def minimal_system(archive: SignedArchive, suite: str) -> None:
    """Builds what every root begins with: an essential package, a required one, and apt."""
    archive.add(suite, "bash", "1:5.2+dfsg-1", Essential="yes", Priority="required", Depends="libc6 (>= 2.36)")
    archive.add(suite, "libc6", "2.36-9+deb12u1")
    archive.add(suite, "tzdata", "2026a-1", Priority="required")
    archive.add(suite, "apt", "2.6.1", Depends="libc6", Recommends="ca-certificates")
    archive.add(suite, "ca-certificates", "20230311")


def _command(argv: list[str], cwd: Path | None = None) -> str:
    return subprocess.run(argv, cwd=cwd, check=True, capture_output=True, text=True).stdout


class FlatArchive:
    """An archive without suites and components, as NVIDIA's are: all in one folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)

    def add(
        self,
        name: str,
        version: str,
        *,
        fill: Callable[[Path], None] = lambda root: None,
        postinst: str = "",
        **fields: str,
    ) -> Path:
        """Builds a package; `fields` are further ones of its control file (`_` for `-`)."""
        return pack(self.path, name, version, fields, fill, postinst)

    def publish(self, key: Key) -> None:
        """Writes the index and the Release file, signed with `key`."""
        for old in ("Packages", "Release", "InRelease"):
            (self.path / old).unlink(missing_ok=True)
        (self.path / "Packages").write_text(_command(["apt-ftparchive", "packages", "."], self.path))
        (self.path / "Release").write_text(_command(["apt-ftparchive", "release", "."], self.path))
        key.sign(self.path / "Release")
