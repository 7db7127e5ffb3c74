"""Rows that are written into the tables, each with its source."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from packaging.version import Version

from rigforge.compat.gpu import cards
from rigforge.compat.tables import Tables, read
from rigforge.facts import pci_ids
from rigforge.rules.versions import driver_branch


def write_all(
    folder: Path, tables: Tables, seen: Mapping[str, Any], today: date, architectures: Callable[[str], Iterable[str]]
) -> Iterator[str]:
    """Writes what was seen and is new into the tables in a folder, and yields in words what was written.

    `architectures` reads from a version of PyTorch's wheel what it has code for.
    """
    if "pci-ids" in seen:
        yield from _chips(folder / "chips.toml", seen["pci-ids"]["facts"], today)
    if "pypi" in seen:
        yield from _pytorch(folder / "pytorch.toml", tables, seen["pypi"]["facts"]["torch"], architectures)
        yield from _cuda(folder / "cuda.toml", tables, seen["pypi"]["facts"]["toolkit"])
    yield from _drivers(folder / "drivers.toml", tables, seen)


def _chips(file: Path, facts: Mapping[str, Any], today: date) -> Iterator[str]:
    """Writes the cards of each chip that the table has, but for those that gpus.toml has."""
    table = read("chips")
    known = {device for card in cards() for device in card.pci}
    listed = {device: card for device, card in pci_ids.from_json(facts["cards"]).items() if device not in known}
    before = {device: name for chip in table["chip"] for device, name in chip["cards"].items()}
    head = file.read_text(encoding="utf-8").partition("[[chip]]")[0]
    head = re.sub(r"pci\.ids of [\d-]+", f"pci.ids of {facts['version'].replace('.', '-')}", head)
    head = re.sub(r"^as_of = .*", f"as_of = {today}", head, flags=re.MULTILINE)
    blocks = []
    for chip in table["chip"]:
        ours = [f"{_text(device)} = {_text(card.name)}" for device, card in listed.items() if card.chip == chip["name"]]
        row = "\n".join(f"{key} = {_value(value)}" for key, value in chip.items() if key != "cards")
        blocks.append("\n".join(["[[chip]]", row, "[chip.cards]", *ours]))
    file.write_text(head + "\n\n".join(blocks) + "\n", encoding="utf-8")
    chips = {chip["name"] for chip in table["chip"]}
    added = [device for device, card in listed.items() if card.chip in chips and before.get(device) != card.name]
    if added:
        yield f"chips.toml: {len(added)} cards"


def _pytorch(
    file: Path, tables: Tables, torch: Mapping[str, Any], architectures: Callable[[str], Iterable[str]]
) -> Iterator[str]:
    known = {str(version) for build in tables.builds if build.index == "pypi" for version in build.versions}
    for version, wheel in torch.items():
        if version in known or "cuda" not in wheel:
            continue
        row = {
            "versions": [version],
            "index": ["pypi"],
            **{part: wheel[part] for part in ("cuda", "cudnn", "nccl", "python") if part in wheel},
            "compute_capability": [*architectures(version)],
            "source": ["metadata", "arch-list"],
        }
        _append(file, "build", row)
        yield f"pytorch.toml: PyTorch {version}"


def _cuda(file: Path, tables: Tables, toolkit: Mapping[str, str]) -> Iterator[str]:
    """Writes a release of CUDA where its minor version is known: its driver is that of the release before it."""
    known = {str(release.version) for release in tables.releases}
    for version, runtime in toolkit.items():
        before = tables.release_of(Version(version))
        if version in known or not before or before.version.release[:2] != Version(version).release[:2]:
            continue
        row = {
            "version": version,
            "driver": before.driver,
            "runtime": runtime,
            "newest": ".".join(map(str, before.newest)),
            "source": ["same-runtime" if runtime == str(before.runtime) else before.source[0], "components", "nvcc"],
        }
        _append(file, "release", row)
        yield f"cuda.toml: CUDA {version}, with the driver of {before.version}"


def _drivers(file: Path, tables: Tables, seen: Mapping[str, Any]) -> Iterator[str]:
    """Writes the newest driver of each branch, and what each distribution has."""
    text = file.read_text(encoding="utf-8")
    newest = {branch.name: (branch.latest, "") for branch in tables.branches}
    for place, observed in seen.items():
        versions = observed["facts"].get("drivers", []) or [*observed["facts"].get("branches", {}).values()]
        source = "lifecycle" if place == "nvidia branches" else place.split(" ")[-2] if " " in place else ""
        for version in versions:
            name = driver_branch(version)
            if name in newest and Version(version) > Version(newest[name][0]):
                newest[name] = version, source
    for name, (version, source) in newest.items():
        if source:
            text = _branch_at(text, name, version, source)
            yield f"drivers.toml: branch {name} is at {version}"
    for place, observed in seen.items():
        match place.split():
            case ["archive", "ubuntu", release]:
                changed = _offer(text, release, observed["facts"]["drivers"], newest)
                if changed != text:
                    text = changed
                    yield f"drivers.toml: what ubuntu {release} has"
    file.write_text(text, encoding="utf-8")


def _offer(text: str, release: str, drivers: Iterable[str], newest: Mapping[str, tuple[str, str]]) -> str:
    """Returns the table with what a release of Ubuntu has: branches at their latest, other versions in full."""
    branches = {version: driver_branch(version) for version in drivers}
    names = [
        branch if newest[branch][0] == version else version for version, branch in branches.items() if branch in newest
    ]
    row = rf'(distribution = "ubuntu"\nsuite = "{release}"\n)drivers = \[.*\]'
    return re.sub(row, rf"\g<1>drivers = {_value(names)}", text)


def _branch_at(text: str, name: str, version: str, source: str) -> str:
    """Returns the table with another newest driver of a branch, and its source."""
    row = re.search(rf'\[\[branch\]\]\nname = "{name}"\n(?:.+\n)+', text)
    if not row:
        return text
    changed = re.sub(r'latest = ".*"', f'latest = "{version}"', row[0])
    if f'"{source}"' not in changed:
        changed = re.sub(r"source = \[(.*)\]", rf'source = [\1, "{source}"]', changed)
    return text.replace(row[0], changed)


def _append(file: Path, kind: str, row: Mapping[str, Any]) -> None:
    lines = "\n".join(f"{key} = {_value(value)}" for key, value in row.items())
    text = file.read_text(encoding="utf-8").rstrip("\n")
    file.write_text(f"{text}\n\n[[{kind}]]\n{lines}\n", encoding="utf-8")


def _value(value: Any) -> str:
    """Returns a text or a list of texts as TOML has it."""
    return _text(value) if isinstance(value, str) else f"[{', '.join(map(_text, value))}]"


def _text(text: str) -> str:
    # A quotation mark or a control character in a foreign list must not end the string.
    safe = "".join(character for character in text if character.isprintable())
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"') + '"'
