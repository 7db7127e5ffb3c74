"""The document that the installer follows: that of a volume labelled CIDATA, else the medium's own."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from rigforge.installer import command
from rigforge.installer.section import DocumentError, load

#: The medium's own document, on the running live system.
MEDIUM_DOCUMENT = Path("/run/live/medium/autoinstall.yaml")

#: File systems that cloud-init takes for a seed.
FILE_SYSTEMS = ("vfat", "iso9660")

#: Bytes; more than any document needs.
LARGEST = 1024 * 1024

#: Runs a program and returns its standard output.
Runner = Callable[[Sequence[str]], str]


def find(*, medium: Path = MEDIUM_DOCUMENT, run: Runner = command.output_of) -> tuple[str, str]:
    """Returns the document's text, not yet parsed, and where it is from.

    A volume labelled CIDATA with a file `user-data` comes before the medium's own `autoinstall.yaml`; its
    `network-config`, where it has one, counts as the section `network` of a document that has none.
    Raises DocumentError where there is no document, and where there are two such volumes.
    """
    if on_volume := of_volume(run=run):
        return on_volume
    if not medium.is_file():
        raise DocumentError(
            str(medium), "", "there is no document to install by", "the medium is incomplete: make it anew"
        )
    return _read(medium, str(medium)), str(medium)


def of_volume(*, run: Runner = command.output_of) -> tuple[str, str] | None:
    """Returns the document on a volume labelled CIDATA, and where it is from; None where no such volume has one.

    Raises DocumentError where there are two such volumes.
    """
    volumes = cidata_volumes(run)
    if len(volumes) > 1:
        raise DocumentError(
            ", ".join(volumes), "", "more than one volume is labelled CIDATA", "unplug all but the one that is meant"
        )
    for volume in volumes:
        with _mounted(volume, run) as root:
            if (root / "user-data").is_file():
                where = f"user-data on {volume} (CIDATA)"
                return _with_network(_read(root / "user-data", where), root / "network-config", where), where
    return None


def cidata_volumes(run: Runner = command.output_of) -> list[str]:
    """Returns the devices of the volumes labelled CIDATA. Their disks are no disks to install on.

    Raises DocumentError for such a volume with a file system that is no seed's.
    """
    listing = run(["lsblk", "--json", "--paths", "--output", "NAME,LABEL,FSTYPE,UUID"])
    volumes: dict[str, str] = {}
    for row in _rows(json.loads(listing or "{}").get("blockdevices", [])):
        if str(row.get("label") or "").upper() != "CIDATA":
            continue
        if row.get("fstype") not in FILE_SYSTEMS:
            problem = f"labelled CIDATA, but it holds {row.get('fstype') or 'no file system'}"
            raise DocumentError(row["name"], "", problem, f"it must be one of: {', '.join(FILE_SYSTEMS)}")
        # An ISO written to a stick shows on the stick and on its first partition.
        volumes.setdefault(row.get("uuid") or row["name"], row["name"])
    return list(volumes.values())


def _rows(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield row
        yield from _rows(row.get("children") or [])


@contextmanager
def _mounted(device: str, run: Runner) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rigforge-cidata-") as folder:
        run(["mount", "--options", "ro,nosuid,nodev,noexec", device, folder])
        try:
            yield Path(folder)
        finally:
            run(["umount", folder])


def _read(path: Path, where: str) -> str:
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise DocumentError(where, "", f"is larger than {LARGEST // 1024} KiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(where, "", f"is not UTF-8 at byte {error.start}") from None


def _with_network(text: str, network_config: Path, where: str) -> str:
    network = _read(network_config, f"network-config beside {where}") if network_config.is_file() else ""
    if not network.strip():
        return text
    document = load(text, where)
    body = document.get("autoinstall", document) if isinstance(document, dict) else None
    if not isinstance(body, dict) or "network" in body:
        return text
    body["network"] = load(network, f"network-config beside {where}")
    return yaml.safe_dump(document, sort_keys=False)
