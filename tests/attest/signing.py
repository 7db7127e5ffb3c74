"""Small builds as the real ones lie in out/, and key pairs of minisign to sign them with."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from rigforge.attest.provenance import provenance
from rigforge.images import blob, oci
from rigforge.lock.model import to_text as lock_text
from rigforge.records.checksums import to_text
from rigforge.stack.load import load
from tests.release_notes.two_locks import OLD

STACK = load("debian-12")
#: The digest that a provenance names.
LOCK = hashlib.sha256(lock_text(OLD).encode()).hexdigest()
EPOCH = 1_700_000_000
PASSPHRASE = "mit Leerzeichen und Umläuten: ä "


@dataclass(frozen=True)
class Pair:
    """A key pair: the files of both keys, and the public one as base64."""

    secret: Path
    public: Path

    @property
    def base64(self) -> str:
        return self.public.read_text().splitlines()[1]

    @property
    def id(self) -> str:
        return self.public.read_text().splitlines()[0].split()[-1]


def pair(folder: Path, name: str, passphrase: str = "") -> Pair:
    """A new pair; with a passphrase it takes some seconds."""
    made = Pair(folder / f"{name}.key", folder / f"{name}.pub")
    options = [] if passphrase else ["-W"]
    command = ["minisign", "-G", *options, "-s", made.secret, "-p", made.public]
    subprocess.run(command, input=f"{passphrase}\n{passphrase}\n", text=True, check=True, capture_output=True)
    return made


def iso(folder: Path, name: str = "rigforge-debian-12", content: str = "") -> Path:
    """An ISO with what lies beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{name}{ending}" for ending in (".iso", ".cdx.json", ".intoto.json")]
    for file in files[:2]:
        file.write_text(content or f"this stands for {file.name}")
    files[2].write_text(provenance(sums(*files[:1]), STACK, OLD, ()))
    write_sums(folder / f"{name}.sha256", *files)
    return files[0]


def layout(folder: Path) -> Path:
    """An OCI layout with two images that share a layer, and with what lies beside it."""
    directory, cache = folder / "images/debian-12", folder / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    base, devel = (_layer(cache, name) for name in ("base", "devel"))
    images = {"base": (base,), "dev": (base, devel)}
    oci.write(directory, {name: oci.Image(layers, {"Cmd": ["bash"]}, EPOCH) for name, layers in images.items()})
    beside = [directory.with_name(f"debian-12-{name}.cdx.json") for name in images]
    for file in beside:
        file.write_text(f"this stands for {file.name}")
    statement = directory.with_name("debian-12.intoto.json")
    manifests = {entry["annotations"][oci.TAG]: entry["digest"][7:] for entry in oci.read_index(directory)}
    statement.write_text(provenance(manifests, STACK, OLD, ()))
    write_sums(directory.with_name("debian-12.sha256"), *beside, statement, directory / "index.json")
    return directory


def beside(iso: Path, ending: str) -> Path:
    return iso.with_suffix(ending)


def alter(file: Path) -> None:
    """Changes a bit of a file, which keeps its size."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.unlink()  # blobs are links
    file.write_bytes(content)


def plain(pair: Pair, file: Path, *options: str) -> None:
    """Signs a file with minisign alone."""
    subprocess.run(["minisign", "-S", "-s", pair.secret, *options, "-m", file], check=True, capture_output=True)


def write_sums(checksums: Path, *files: Path) -> None:
    found = {file: sums(file)[file.name] for file in files}
    checksums.write_text(to_text({str(file.relative_to(checksums.parent)): sha256 for file, sha256 in found.items()}))


def sums(*files: Path) -> dict[str, str]:
    """sha256 (hex) by name."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _layer(cache: Path, name: str) -> oci.HistoryLayer:
    with blob.create(cache / f"{name}.tar", "zstd") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(name)
        tar.addfile(entry, io.BytesIO(name.encode()))
    return oci.HistoryLayer(name, blob.get(cache / f"{name}.tar"))
