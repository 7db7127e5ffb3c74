"""The tables against what was seen elsewhere: what is new there, and what disagrees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from packaging.version import Version

from rigforge.compat.gpu import by_pci
from rigforge.compat.tables import Build, Tables, read
from rigforge.facts import pci_ids
from rigforge.rules.versions import driver_branch


@dataclass(frozen=True)
class Difference:
    """One thing that was seen and that the tables have not, or have otherwise."""

    kind: Literal["new", "disagrees"]
    table: str
    what: str
    told: str

    def __str__(self) -> str:
        return f"{self.table}: {self.what}: {self.told}"


def differences(tables: Tables, seen: Mapping[str, Any], places: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Returns where the tables and what was `seen` (by place) differ, but for what the places say is known."""
    known = {each["what"] for each in places["known"]}
    found: list[Difference] = []
    for place, observed in seen.items():
        facts = observed["facts"]
        match place.split():
            case ["pypi"]:
                found += _pypi(tables, facts)
            case ["pci-ids"]:
                found += _pci_ids(tables, facts, places["pci-ids"]["older"])
            case ["archive", distribution, release]:
                found += _archive(tables, facts["drivers"], distribution, release)
            case ["nvidia", "branches"]:
                found += _branches(tables, facts["branches"])
            case ["nvidia", "toolkits"]:
                found += _toolkits(tables, facts["toolkits"])
    return tuple(each for each in found if each.what not in known)


def _disagrees(table: str, what: str, ours: object, theirs: object) -> Iterator[Difference]:
    if ours != theirs:
        yield Difference("disagrees", table, what, f"the table has {ours}, there it is {theirs}")


def _pypi(tables: Tables, facts: Mapping[str, Any]) -> Iterator[Difference]:
    builds = {str(v): build for build in tables.builds if build.index == "pypi" for v in build.versions}
    for version, wheel in facts["torch"].items():
        if version in builds:
            yield from _torch(builds[version], version, wheel)
        else:
            yield Difference("new", "pytorch", f"PyTorch {version}", f"on PyPI, with CUDA {wheel.get('cuda', 'none')}")
    for version in builds.keys() - facts["torch"].keys():
        yield Difference("disagrees", "pytorch", f"PyTorch {version}", "it is not on PyPI")
    releases = {str(release.version): release for release in tables.releases}
    for version, runtime in facts["toolkit"].items():
        if version in releases:
            yield from _disagrees("cuda", f"CUDA {version}: cudart", str(releases[version].runtime), runtime)
        else:
            yield Difference("new", "cuda", f"CUDA {version}", f"on PyPI, with cudart {runtime}")
    for major, versions in facts["cudnn"].items():
        confirmed = max((row.confirmed for row in tables.cudnn if row.cuda == int(major)), default=Version("0"))
        if versions and Version(versions[-1]).release[:3] > confirmed.release:
            told = f"NVIDIA's matrices were read up to {confirmed}"
            yield Difference("new", "cudnn", f"cuDNN {versions[-1]} for CUDA {major}", told)
    for nccl in sorted({build.nccl for build in tables.builds} - {"", *facts["nccl"]}):
        yield Difference("disagrees", "pytorch", f"NCCL {nccl}", "it is not on PyPI")


def _torch(build: Build, version: str, wheel: Mapping[str, Any]) -> Iterator[Difference]:
    ours = {"cuda": str(build.cuda), "cudnn": str(build.cudnn), "nccl": build.nccl, "python": [*build.python]}
    for part, value in wheel.items():
        yield from _disagrees("pytorch", f"PyTorch {version}: {part}", ours[part], value)


def _pci_ids(tables: Tables, facts: Mapping[str, Any], older: Sequence[str]) -> Iterator[Difference]:
    chips = {chip["name"]: chip["compute_capability"] for chip in read("chips")["chip"]}
    for device, listed in pci_ids.from_json(facts["cards"]).items():
        what = f"10de:{device} {listed.name} ({listed.chip})"
        card = by_pci(device)
        if listed.chip not in chips:
            if not card and not listed.chip.startswith(tuple(older)):
                yield Difference("new", "chips", what, "a chip without a compute capability in the table")
        elif not card:
            yield Difference("new", "chips", what, f"compute capability {chips[listed.chip]}")
        else:
            yield from _disagrees("chips", what, card.compute_capability, chips[listed.chip])


def _archive(tables: Tables, drivers: Sequence[str], distribution: str, release: str) -> Iterator[Difference]:
    where = f"{distribution} {release}"
    offer = next((each for each in tables.offers if (each.distribution, each.suite) == (distribution, release)), None)
    offered = [(name, tables.branch_of(name)) for name in (offer.drivers if offer else ())]
    ours = {name if "." in name else branch.latest for name, branch in offered if branch}
    theirs = {version for version in drivers if tables.branch_of(version)}
    for version in sorted(theirs - ours, key=Version):
        yield Difference("new", "drivers", f"driver {version}", f"in {where}")
    for version in sorted(ours - theirs, key=Version):
        yield Difference("disagrees", "drivers", f"driver {version}", f"it is not in {where}")
    for version in drivers:
        branch = driver_branch(version)
        if version in theirs:
            yield from _latest(tables, version, where)
        elif int(branch) > int(tables.branches[0].name):
            yield Difference("new", "drivers", f"branch {branch}", f"in {where}")


def _latest(tables: Tables, version: str, where: str) -> Iterator[Difference]:
    branch = tables.branch_of(version)
    if branch and Version(version) > Version(branch.latest):
        told = f"the table's latest is {branch.latest}, {where} has {version}"
        yield Difference("disagrees", "drivers", f"branch {branch.name}", told)


def _branches(tables: Tables, branches: Mapping[str, str]) -> Iterator[Difference]:
    for name, newest in branches.items():
        if tables.branch_of(newest):
            yield from _latest(tables, newest, "NVIDIA")
        elif name.isdecimal() and int(name) > int(tables.branches[-1].name):
            yield Difference("new", "drivers", f"branch {name}", f"its newest driver is {newest}")


def _toolkits(tables: Tables, toolkits: Mapping[str, Mapping[str, str]]) -> Iterator[Difference]:
    releases = {str(release.version): release for release in tables.releases}
    for version, parts in toolkits.items():
        if version in releases:
            yield from _disagrees("cuda", f"CUDA {version}: cudart", str(releases[version].runtime), parts["runtime"])
