"""Debian-style archives: apt itself resolves, in a private root with an empty dpkg status.

Nothing of the machine's own apt is read or written, and no root is needed. What apt would download
(`--print-uris`) is what gets locked, so size and SHA256 are those of the signed indices.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from subprocess import CompletedProcess
from urllib.parse import unquote

from debian.deb822 import Deb822

from rigforge.errors import RigforgeError
from rigforge.foreign import boundary
from rigforge.process import run
from rigforge.records.archive import LockedArchive
from rigforge.records.form import check_file, said_by
from rigforge.rules.nearest import nearest
from rigforge.sources import apt_proxy
from rigforge.sources.apt_errors import explain_update
from rigforge.sources.apt_sources import list_name
from rigforge.sources.mirrors import without_credentials

#: What dpkg cannot do without, as apt patterns (apt-patterns(7)), and apt itself.
MINIMAL = ("?essential", "?priority(required)", "apt")

_CONFIGURATION = """\
Dir "{root}/";
Dir::Etc "etc";
Dir::State "state";
Dir::State::status "{root}/status";
Dir::Cache "cache";
Dir::Log "log";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Install-Suggests "false";
// Phasing depends on the machine that asks, and a lock must not.
APT::Get::Always-Include-Phased-Updates "true";
// apt would change to a user that cannot enter the private root.
APT::Sandbox::User "root";
Acquire::ForceHash "sha256";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
"""

_URI_LINE = re.compile(r"'(?P<uri>[^']+)' (?P<deb>\S+) (?P<size>\d+) SHA256:(?P<sha256>[0-9a-f]{64})", re.ASCII)
_MISSING = re.compile(r"Unable to locate package (\S+)|Package '([^']+)' has no installation candidate")


@dataclass(frozen=True)
class Archive:
    """One suite of an archive: its role, the URL of a mirror, and the keyring that it must be signed with.

    `place` is the folder below the URL in which the archive is, as a snapshot's time. A flat archive has the
    suite "/" and no components.
    """

    role: str
    url: str
    suite: str
    components: tuple[str, ...]
    keyring: Path
    check_valid_until: bool = True
    place: str = ""

    def __post_init__(self) -> None:
        # As apt prints it: file:/srv, not file:///srv.
        url = "/".join(filter(None, (self.url.rstrip("/"), self.place)))
        object.__setattr__(self, "url", re.sub("^file:/+", "file:/", url))

    @property
    def index(self) -> str:
        """The URL of the folder that Release is in, with a closing slash."""
        return f"{self.url}/" if self.suite == "/" else f"{self.url}/dists/{self.suite}/"

    @property
    def shown(self) -> str:
        """The URL as apt's messages have it, without user name and password."""
        return without_credentials(self.url)


@dataclass(frozen=True)
class Available:
    """A version of a package that the archives have, and the source package that it was built from.

    `flat`: in an archive that has all in one folder, as NVIDIA's are. `depends` is the field as it is in the index.
    """

    name: str
    version: str
    source: str
    flat: bool = False
    depends: str = ""


@dataclass(frozen=True, order=True)
class Deb:
    """A package's file, by the signed index: `file` is the archive's role and the path within it, `size` in bytes.

    Raises RigforgeError for a value that has not its form (`rigforge.records.form`).
    """

    name: str
    version: str
    file: str
    size: int
    sha256: str

    def __post_init__(self) -> None:
        check_file("deb", self.name, self.version, self.file, self.size, self.sha256)


class Root:
    """An apt of its own, whose indices are those of the given archives."""

    def __init__(self, path: Path, architecture: str, archives: Sequence[Archive]) -> None:
        self._path, self._archives = path, archives
        for directory in (
            "etc/apt.conf.d",
            "etc/sources.list.d",
            "etc/preferences.d",
            "state/lists/partial",
            "cache/archives/partial",
        ):
            (path / directory).mkdir(parents=True)
        (path / "status").touch()
        (path / "apt.conf").write_text(
            _CONFIGURATION.format(root=path, architecture=architecture) + apt_proxy.configuration()
        )
        sources = [_source(archive, path / f"{n}{archive.keyring.suffix}") for n, archive in enumerate(archives)]
        (path / "etc/sources.list.d/stack.sources").write_text("\n".join(sources))
        # What the distribution has comes from it; a flat archive, which has no components, adds to that.
        components = sorted({component for archive in archives for component in archive.components})
        preferences = (f"Package: *\nPin: release c={name}\nPin-Priority: 600\n" for name in components)
        (path / "etc/preferences.d/components").write_text("\n".join(preferences))

    def update(self) -> tuple[LockedArchive, ...]:
        """Fetches the indices and returns the state of the archives.

        Raises RigforgeError where an archive does not answer, has no such suite or component, is
        expired, or is not signed with its keyring.
        """
        result = self._apt("apt-get", "update", "--error-on=any")
        explain_update(result.stdout + result.stderr, result.returncode, self._archives)
        return tuple(self._state(archive) for archive in self._archives)

    def available(self, names: Iterable[str]) -> tuple[Available, ...]:
        """Returns every version that the archives have of these packages; unknown names are left out."""
        index = self._apt("apt-cache", "show", *names).stdout
        with boundary("the archives have a package without its fields"):
            return tuple(
                # A Source field has the version in parentheses where it is not the package's own.
                Available(
                    stanza["Package"],
                    stanza["Version"],
                    stanza.get("Source", stanza["Package"]).split(" ")[0],
                    stanza["Filename"].removeprefix("./").count("/") == 0,
                    stanza.get("Depends", ""),
                )
                for stanza in Deb822.iter_paragraphs(index, use_apt_pkg=False)
            )

    def names(self, prefix: str) -> tuple[str, ...]:
        """Returns the names of all packages that begin with `prefix`."""
        return tuple(sorted(self._apt("apt-cache", "pkgnames", prefix).stdout.split()))

    def pin(self, source: str, version: str) -> None:
        """Lets only versions matching a glob be chosen of all packages built from one source package."""
        self._prefer(f"src:{source}", version)

    def pin_package(self, name: str, version: str) -> None:
        """Lets only versions matching a glob be chosen of one package."""
        self._prefer(name, version)

    def _prefer(self, package: str, version: str) -> None:
        # apt passes over a file with another extension, and what follows the last dot of a kernel's name is one.
        file = self._path / f"etc/preferences.d/{package.replace(':', '-')}.pref"
        file.write_text(f"Package: {package}\nPin: version {version}\nPin-Priority: 1001\n")

    def resolve(
        self, purpose: str, wishes: Mapping[str, str], installed_versions: Mapping[str, str] | None = None
    ) -> tuple[Deb, ...]:
        """Returns the packages that have all wishes on top of those in `installed_versions` (by name), by name.

        `wishes` has package names and, for messages, the stack's key that asks for each; so has `purpose` what they
        are for ("layer host"). Recommended packages are left out.

        Raises RigforgeError where a package does not exist, or they cannot be installed together.
        """
        if not wishes:
            return ()
        installed_versions = installed_versions or {}
        pins = [f"{name}={version}" for name, version in installed_versions.items()]
        result = self._apt("apt-get", "install", "--print-uris", "-q", "-y", "--", *pins, *wishes)
        if result.returncode:
            raise self._unresolved(purpose, wishes, result.stdout + result.stderr)
        files = [self._deb(purpose, line) for line in result.stdout.splitlines() if line.startswith("'")]
        return tuple(sorted(file for file in files if file.name not in installed_versions))

    def _apt(self, *words: str) -> CompletedProcess[str]:
        return run(words, env={"APT_CONFIG": str(self._path / "apt.conf")}, check=False)

    def _state(self, archive: Archive) -> LockedArchive:
        prefix = self._path / "state/lists" / list_name(archive.index)
        # An old archive may have its signature apart, in Release.gpg.
        release = next(path for name in ("InRelease", "Release") if (path := Path(f"{prefix}{name}")).exists())
        content = release.read_bytes()
        date_match = re.search(rb"^Date:[ \t]*(.+?)\s*$", content, re.MULTILINE)
        with boundary(f"archive {archive.role} ({archive.shown} {archive.suite}): its Release file has no usable Date"):
            date = date_match[1].decode("ascii") if date_match else ""
            parsedate_to_datetime(date).timestamp()
        return LockedArchive(archive.role, archive.suite, date, hashlib.sha256(content).hexdigest())

    def _deb(self, purpose: str, line: str) -> Deb:
        match = _URI_LINE.match(line)
        if not match:
            raise RigforgeError(f"the archive has no SHA256 for a package that {purpose} needs: {line}")
        uri = without_credentials(match["uri"])
        # Of two roles where one URL begins with the other, the longer one is meant.
        archive = max((a for a in self._archives if uri.startswith(a.shown + "/")), key=lambda a: len(a.url))
        # The file name is name_version_architecture.deb, with the colon of an epoch as %3a.
        with boundary(f"the archive {archive.role} has a package of no usable name: {line}"):
            name, version, _ = map(unquote, match["deb"].split("_"))
        path = unquote(uri.removeprefix(archive.shown + "/")).removeprefix("./")
        path = "/".join(filter(None, (archive.place, path)))
        with said_by(f"archive {archive.role} ({archive.shown} {archive.suite})", "use another mirror"):
            size, sha256 = int(match["size"]), match["sha256"]
            return Deb(name, version, f"{archive.role}:{path}", size, sha256)

    def _unresolved(self, purpose: str, wishes: Mapping[str, str], output: str) -> RigforgeError:
        suites = " and ".join(sorted({archive.suite for archive in self._archives}))
        if match := _MISSING.search(output):
            name = match[1] or match[2]
            suggestions = nearest(name, self.names(name[0]), most=4)
            return RigforgeError(
                f"package {name} (asked for by {wishes.get(name, 'another package')}) is not in {suites}",
                f"did you mean {' or '.join(suggestions)}?"
                if suggestions
                else "correct the name, or add the archive that has it",
            )
        keys = ", ".join(sorted(set(wishes.values())))
        # What comes before is apt's progress, and its guesses about people who mix suites.
        reason = output[max(output.find("The following packages have unmet"), 0) :].strip()
        return RigforgeError(
            f"the packages of {purpose} cannot be installed together:\n{reason}",
            f"they are asked for by {keys}; the layers below are part of the question",
        )


@contextmanager
def private_root(architecture: str, archives: Sequence[Archive]) -> Iterator[Root]:
    """Yields a `Root` in a temporary directory, which goes away at the end whatever happens."""
    with tempfile.TemporaryDirectory(prefix="rigforge-apt-") as directory:
        yield Root(Path(directory), architecture, archives)


def _source(archive: Archive, keyring: Path) -> str:
    """Returns the deb822 source of an archive, whose keyring is copied to a place that apt surely can read."""
    try:
        keyring.write_bytes(archive.keyring.read_bytes())
    except OSError as error:
        raise RigforgeError(
            f"keyring of archive {archive.role} ({archive.suite}): {archive.keyring}: {error.strerror}",
            "correct `keyring` in the stack's [[archives]], or install the package that brings it "
            "(debian-archive-keyring, ubuntu-keyring)",
        ) from error
    components = f"Components: {' '.join(archive.components)}\n" if archive.components else ""
    return (
        f"Types: deb\nURIs: {archive.url}\nSuites: {archive.suite}\n{components}"
        f"Signed-By: {keyring}\nCheck-Valid-Until: {'yes' if archive.check_valid_until else 'no'}\n"
    )
