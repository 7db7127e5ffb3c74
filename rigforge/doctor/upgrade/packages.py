"""Packages that dpkg has installed and apt could install; nothing here changes either."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rigforge.doctor import apt_pins
from rigforge.doctor.machine import Machine
from rigforge.rules.versions import upstream

#: Seconds; apt reads all of its lists anew when they have changed.
PATIENCE = 120.0

#: What every call of apt-get is made with: the held pair is what is changed, and nothing is brought in unasked.
OPTIONS = ("--no-install-recommends", "--allow-change-held-packages", "--quiet=2")

_FIELDS = (
    "binary:Package",
    "Version",
    "source:Package",
    "Pre-Depends",
    "Depends",
    "db:Status-Want",
    "db:Status-Status",
)
_CHANGE = re.compile(r"(?P<verb>Inst|Remv) (?P<name>\S+)(?: \[(?P<was>[^]]+)\])?(?: \((?P<now>\S+))?")


@dataclass(frozen=True)
class OfferedPackage:
    """A package in one version: installed, or in the archive."""

    name: str
    version: str
    source: str = ""
    depends: str = ""
    held: bool = False

    @property
    def upstream(self) -> str:
        """The version without epoch and without what the distribution counts."""
        return upstream(self.version)


@dataclass(frozen=True)
class Offered:
    """The versions of a package in the archives; `candidate` is the one that apt takes, None where it has that one."""

    versions: tuple[OfferedPackage, ...] = ()
    candidate: OfferedPackage | None = None

    def of(self, version: str) -> OfferedPackage | None:
        return next((package for package in self.versions if package.version == version), None)


@dataclass(frozen=True)
class Change:
    """A change that apt makes to one package; `was` is "" for a new one, `now` for one that goes."""

    name: str
    was: str
    now: str


@dataclass(frozen=True)
class Simulated:
    """The changes that apt would make, or in its own words why it cannot."""

    changes: tuple[Change, ...]
    complaint: str = ""


@dataclass(frozen=True)
class AptPackages:
    """The packages of a machine."""

    machine: Machine

    @cached_property
    def installed(self) -> Mapping[str, OfferedPackage]:
        """The packages that are unpacked or configured, by name, with the architecture where that is another one."""
        form = "\\t".join(f"${{{field}}}" for field in _FIELDS) + "\\n"
        answer = self.machine.ask("dpkg-query", "--show", "--showformat", form, seconds=PATIENCE)
        packages, pinned = {}, apt_pins.pinned(self.machine)
        for line in answer.output.splitlines() if answer else ():
            name, version, source, before, depends, want, status = line.split("\t")
            name = name.removesuffix(":amd64")
            if status not in ("not-installed", "config-files"):
                needs = ", ".join(filter(None, (before, depends)))
                packages[name] = OfferedPackage(name, version, source, needs, held=want == "hold" or name in pinned)
        return packages

    @cached_property
    def has_lists(self) -> bool:
        """Whether apt knows what any archive offers."""
        answer = self.machine.ask(
            "apt-get", "indextargets", "--format", "$(FILENAME)", "Created-By: Packages", seconds=PATIENCE
        )
        # apt keeps them packed where it is told to.
        return any(
            list(Path(file).parent.glob(f"{Path(file).name}*"))
            for file in (answer.output.splitlines() if answer else ())
        )

    def offered(self, names: Iterable[str]) -> Mapping[str, Offered]:
        """Returns what the archives have of each package."""
        distinct = sorted(set(names))
        with apt_pins.ignored(self.machine) as options:
            policy = self.machine.ask("apt-cache", *options, "policy", *distinct, seconds=PATIENCE)
        candidates = dict(re.findall(r"^(\S+):\n.*\n  Candidate: (\S+)", policy.output if policy else "", re.MULTILINE))
        stanzas = self.machine.ask("apt-cache", "show", *distinct, seconds=PATIENCE)
        by_name: dict[str, list[OfferedPackage]] = {name: [] for name in distinct}
        for stanza in stanzas.output.split("\n\n") if stanzas else ():
            fields = dict(re.findall(r"^([\w-]+): (.*)$", stanza, re.MULTILINE))
            # What only dpkg knows has no file in any archive.
            if fields.get("Package") in by_name and "Filename" in fields:
                name = str(fields["Package"])
                source = str(fields.get("Source", name)).partition(" ")[0]
                by_name[name].append(OfferedPackage(name, fields["Version"], source, fields.get("Depends", "")))
        return {
            name: Offered(
                tuple(versions), next((each for each in versions if each.version == candidates.get(name)), None)
            )
            for name, versions in by_name.items()
        }

    def simulated(self, arguments: Iterable[str]) -> Simulated:
        """Returns what `apt-get install` with these arguments would do."""
        answer = self.machine.ask("apt-get", "--simulate", *OPTIONS, "install", *arguments, seconds=PATIENCE)
        if not answer or answer.code:
            lines = f"{answer.complaint}\n{answer.output}".splitlines() if answer else ["apt-get did not answer"]
            telling = [line.removeprefix("E: ").strip() for line in lines if re.match(r"E: | \S+ : | {3,}\S", line)]
            return Simulated((), "; ".join(telling) or "apt-get failed and said nothing")
        changes = [match for line in answer.output.splitlines() if (match := _CHANGE.match(line))]
        return Simulated(
            tuple(
                Change(
                    each["name"].removesuffix(":amd64"),
                    each["was"] or "",
                    (each["now"] or "") if each["verb"] == "Inst" else "",
                )
                for each in changes
            )
        )
