"""A volume labelled CIDATA with an autoinstall document, so that one medium serves many machines."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import yaml

from rigforge import atomic
from rigforge.autoinstall import template
from rigforge.errors import RigforgeError
from rigforge.installer.media import LARGEST
from rigforge.process import run

#: The first second that FAT can hold. Every file has it, so that the same input gives the same bytes.
EPOCH = 315532800

#: FAT's volume number, for the same reason.
VOLUME_NUMBER = "52494721"

#: KiB: a floppy disk's, which everything that reads FAT knows.
SIZE = 1440


def nocloud(document_text: str, hostname: str) -> dict[str, str]:
    """Returns the files of a NoCloud seed, by name, that has a document, bare or under `autoinstall:`.

    Raises RigforgeError for a document that the installer would not read to its end.
    """
    if len(document_text) > LARGEST // 2:
        raise RigforgeError(f"the document is larger than {LARGEST // 2 // 1024} KiB")
    content = yaml.safe_load(document_text)
    wrapped = content if "autoinstall" in content else {"autoinstall": content}
    return {
        "user-data": "#cloud-config\n" + yaml.safe_dump(wrapped, sort_keys=False, width=10_000),
        "meta-data": template.fill("meta-data.j2", instance_id=_instance_id(document_text), hostname=hostname),
    }


def write_files(files: dict[str, str], folder: Path, *, private: bool) -> None:
    """Writes the files of a seed for a web server; where they are `private`, only as their owner does it read them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        with atomic.making(folder / name) as draft:
            draft.touch(0o600 if private else 0o644)
            draft.write_text(text, encoding="utf-8")


def _instance_id(document_text: str) -> str:
    return f"rigforge-{hashlib.sha256(document_text.encode()).hexdigest()[:16]}"


def write_volume(files: dict[str, str], path: Path, size: int = SIZE) -> None:
    """Writes the files of a seed into a FAT image that only the owner may read: it holds the password's hash.

    `size` is the image's, in KiB.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the result, so that putting it in its place is one step.
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        image = Path(folder) / "cidata.img"
        clock = {"SOURCE_DATE_EPOCH": str(EPOCH)}
        run(["mkfs.vfat", "--invariant", "-i", VOLUME_NUMBER, "-n", "CIDATA", "-C", image, str(size)], env=clock)
        for name, text in files.items():
            source = Path(folder) / name
            source.write_text(text, encoding="utf-8")
            os.utime(source, (EPOCH, EPOCH))
            run(["mcopy", "-m", "-i", image, source, f"::{name}"], env=clock)
        image.chmod(0o600)
        image.replace(path)
