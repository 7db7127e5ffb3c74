"""What Canonical's installer will get from the medium's pool, asked of apt itself: signature, boot loaders, programs.

apt sees the layers' own packages and keys, and of the medium its index: as it will within the installed system where
there is no network. Nothing is installed, and no root is needed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from urllib.parse import unquote

from debian.deb822 import Deb822

from rigforge.autoinstall.subiquity.lint.finding import mapping
from rigforge.layers.recipes.pool import FILE as SOURCES
from rigforge.process import run

STATUS = "var/lib/dpkg/status"

#: What is read of the layers, by the beginnings of paths.
OF_LAYERS = ("etc/apt/", "usr/share/keyrings/", STATUS)

#: The first release with a source that names the pool, and its key.
FIRST_WITH_SOURCES = "26.04"

TRUSTED = "etc/apt/trusted.gpg.d"

#: Up to 25.10, what the installer writes in place of the layers' sources.
_SOURCE = """\
Types: deb
URIs: file:{copy}
Suites: {codename}
Components: main restricted
Check-Date: no
"""

_RENEW = "renew the lock, and build the ISO anew"
_NAME = f"name it in packages.host, {_RENEW}"
_PIN = "build the ISO anew, with a pin in etc/apt/preferences.d in place of the hold"
_UBUNTUS = f"name a kernel of Ubuntu's archive in kernel.package, {_RENEW}"
_AS_RELEASED = "take Canonical's ISO as it was released"

_CONFIGURATION = """\
Dir "{tree}/";
Dir::State::status "{tree}/{status}";
// What the layers' own configuration would run is for the machine.
Dir::Etc::main "none";
Dir::Etc::parts "none";
Dir::Etc::sourcelist "{sources}";
Dir::Etc::sourceparts "none";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
// Debian 13's apt would ask sqv, whose rules for keys change with the date.
APT::Key::GPGVCommand "gpgv";
// apt would change to a user that cannot enter the tree.
APT::Sandbox::User "root";
Acquire::Languages "none";
Debug::NoLocking "true";
"""

_UNMET = re.compile(r"Depends: (?P<needed>.+) but (?P<state>.+)")
_UNKNOWN = re.compile(r"Unable to locate package (\S+)|Package '([^']+)' has no installation candidate")
_KEY = re.compile(r"NO_PUBKEY ([0-9A-F]+)")
_URI = re.compile(r"^'file:([^']+)' ", re.MULTILINE)


@dataclass(frozen=True)
class MediumPackages:
    """A medium of a release ("24.04"): a copy of its dists/, and the places of all its files.

    `sources` is what the file `SOURCES` of Canonical's lowest layer says, if it has one.
    """

    copy: Path
    places: Collection[str]
    release: str
    sources: str | None

    @property
    def codename(self) -> str:
        """The folder of dists/ that has the pool's index; "" where there is none."""
        return next((file.parent.name for file in sorted(self.copy.glob("dists/*/Release"))), "")


@dataclass(frozen=True)
class Dependency:
    """Packages that the installer asks for together, and what for."""

    packages: tuple[str, ...]
    purpose: str


def problems(tree: Path, medium: MediumPackages, kernel: str, document: Mapping[str, Any]) -> Iterator[str]:
    """Yields what will end an installation without a network, or leave a machine that does not start.

    `tree` has the files `OF_LAYERS` of the layers, `kernel` is the package of theirs, `document` the autoinstall
    document.
    """
    if not (tree / STATUS).exists():
        yield f"the layers have no {STATUS}: build the ISO anew"
        return
    if not medium.codename:
        yield f"the pool has no index in dists/: {_AS_RELEASED}"
        return
    yield from sources((tree / SOURCES).read_text() if (tree / SOURCES).exists() else None, medium)
    packages = {stanza["Package"]: stanza for stanza in Deb822.iter_paragraphs((tree / STATUS).read_text())}
    yield from kernels(packages, kernel)
    apt = Apt(tree, medium)
    if unusable := list(apt.update()):
        yield from unusable
        return
    names = {name for name, stanza in packages.items() if stanza["Status"].endswith(" installed")}
    for wish in wishes(document, names):
        yield from apt.install(wish)


class Apt:
    """apt in the tree of the layers, with a medium as its only source."""

    def __init__(self, tree: Path, medium: MediumPackages) -> None:
        self._medium = medium
        for folder in ("var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "etc/apt/preferences.d"):
            (tree / folder).mkdir(parents=True, exist_ok=True)
        place = medium.copy.with_name("pool.sources")
        if (sources_file := tree / SOURCES).exists():
            # The keys that it names by path are the layers'.
            text = re.sub(r"^(Signed-By:\s*)/", rf"\g<1>{tree}/", sources_file.read_text(), flags=re.MULTILINE)
            place.write_text(re.sub(r"file:/+cdrom", f"file:{medium.copy}", text))
            self._key = f"which {SOURCES} of the layers lacks: build the ISO anew"
        else:
            place.write_text(_SOURCE.format(copy=medium.copy, codename=medium.codename))
            self._key = f"which no file in {TRUSTED} of the layers has: name ubuntu-keyring in packages.base, {_RENEW}"
        self._configuration = medium.copy.with_name("apt.conf")
        self._configuration.write_text(_CONFIGURATION.format(tree=tree, status=STATUS, sources=place))

    def update(self) -> Iterator[str]:
        """Reads the medium's index; yields why it cannot be used."""
        process = self._run("update")
        output = process.stdout + process.stderr
        if key := _KEY.search(output):
            yield f"the pool's index is signed with key {key[1]}, {self._key}"
        elif process.returncode:
            yield f"apt cannot read the pool's index: {_first_error(output)}: {_AS_RELEASED}"

    def install(self, wish: Dependency) -> Iterator[str]:
        """Yields why packages cannot be installed."""
        subject = f"{' '.join(wish.packages)} ({wish.purpose})"
        simulation = self._run("install", "--simulate", "--assume-yes", *wish.packages)
        if simulation.returncode:
            yield f"{subject} cannot be installed from the medium: {self._why(simulation.stdout + simulation.stderr)}"
            return
        if removals := re.findall(r"^Remv (\S+)", simulation.stdout, re.MULTILINE):
            yield f"{subject} would remove {', '.join(removals)} of the layers: {_RENEW}"
        listing = self._run("install", "--print-uris", "--assume-yes", *wish.packages).stdout
        places = {unquote(path).removeprefix(f"{self._medium.copy}/") for path in _URI.findall(listing)}
        for place in sorted(places.difference(self._medium.places)):
            yield f"{subject} needs /{place}, which is not there: {_AS_RELEASED}"

    def _why(self, output: str) -> str:
        if lacking := self._lacking(output):
            return f"layers and pool lack {', '.join(lacking)}: {_NAME}"
        if unmet := dict.fromkeys(match["needed"] for match in _UNMET.finditer(output)):
            # What apt has of it, in the layers or the pool, is of a version that does not fit.
            return f"layers and pool do not fit together by {', '.join(unmet)}: {_RENEW}"
        return _first_error(output)

    def _lacking(self, output: str, *parents: str) -> list[str]:
        """Returns what is nowhere to be had. apt names what it cannot install, and why only where that is asked for."""
        names = [match[1] or match[2] for match in _UNKNOWN.finditer(output)]
        for match in _UNMET.finditer(output):
            name = match["needed"].partition(" ")[0]
            if match["state"] == "it is not installable":
                names.append(name)
            elif match["state"] == "it is not going to be installed" and name not in parents:
                simulation = self._run("install", "--simulate", "--assume-yes", name)
                names += self._lacking(simulation.stdout + simulation.stderr, name, *parents)
        return sorted(set(names))

    def _run(self, *words: str) -> CompletedProcess[str]:
        return run(["apt-get", *words], env={"APT_CONFIG": str(self._configuration)}, check=False)


def wishes(document: Mapping[str, Any], installed: Collection[str]) -> tuple[Dependency, ...]:
    """Returns what the installer asks for with this document, where these packages are `installed`."""
    facts = tomllib.loads(Path(__file__).with_name("curtin.toml").read_text())
    kinds = {*facts["any"]["kinds"], *_kinds(document, facts["layouts"])}
    demands = {f"boot loader for {firmware}": loaders for firmware, loaders in facts["loaders"].items()}
    demands["storage"] = sorted({package for kind in kinds for package in facts["storage"].get(kind, ())})
    lacks = {purpose: [name for name in names if name not in installed] for purpose, names in demands.items()}
    # These it asks for in any case.
    lacks["ssh.install-server"] = ["openssh-server"]
    if kernel := mapping(document.get("kernel")).get("package"):
        lacks["kernel.package"] = [str(kernel)]
    return tuple(Dependency(tuple(names), purpose) for purpose, names in lacks.items() if names)


def _kinds(document: Mapping[str, Any], layouts: Mapping[str, list[str]]) -> set[str]:
    """Returns the kinds of volume and file system that a document's storage is made of."""
    storage = mapping(document.get("storage"))
    layout, actions = mapping(storage.get("layout")), storage.get("config")
    entries = [mapping(action) for action in actions] if isinstance(actions, list) else []
    kinds = {str(action.get(key)) for action in entries for key in ("type", "fstype")}
    return {*kinds, *layouts.get(str(layout.get("name")), ())}


def kernels(packages: Mapping[str, Mapping[str, str]], name: str) -> Iterator[str]:
    """Yields why the installer would make no initramfs for a kernel; `packages` are dpkg's stanzas by name.

    It makes one for packages that are wanted, installed, and provide `linux-image` (curtin/distro.py,
    dpkg_query_list_kernels).
    """
    stanza = packages.get(name, {})
    if not stanza.get("Status", "").endswith(" installed"):
        yield f"dpkg knows of no {name}: build the ISO anew"
        return
    if stanza["Status"].startswith("hold "):
        yield f"{name} is on hold, and so the installer makes no initramfs for it: {_PIN}"
    if "linux-image" not in stanza.get("Provides", "").split(", "):
        yield f"{name} does not provide linux-image, and so the installer makes no initramfs for it: {_UBUNTUS}"


def sources(ours: str | None, medium: MediumPackages) -> Iterator[str]:
    """Yields what is wrong with the layers' file `SOURCES`, which is to be that of the medium."""
    if medium.sources is None and medium.release >= FIRST_WITH_SOURCES:
        yield f"Canonical's lowest layer has no {SOURCES}, with the key of the pool: {_AS_RELEASED}"
    elif medium.sources and ours is None:
        yield f"the layers have no {SOURCES}, and nothing else has the key of the pool: build the ISO anew"
    elif medium.sources and ours != medium.sources:
        yield f"{SOURCES} of the layers is of another ISO, with the key of another pool: build the ISO anew"


def _first_error(output: str) -> str:
    errors = [line.removeprefix("E: ") for line in output.splitlines() if line.startswith("E: ")]
    return errors[0] if errors else output.strip()
