"""The archives that this machine's apt is configured to read, as apt reads its files: sources.list(5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rigforge.foreign import boundary
from rigforge.redact import redacted
from rigforge.sources import apt_mirror_list, public_places
from rigforge.sources.apt_auth import with_login

#: The apt methods that name a place where files can be had one by one (cdrom: and the like do not).
SCHEMES = ("http://", "https://", "file:", "copy:")

#: apt's own words for "no" (StringToBool in apt-pkg/contrib/strutl.cc).
NO = ("0", "no", "false", "without", "off", "disable")

#: Rigforge builds for this architecture alone.
ARCHITECTURE = "amd64"

_ONE_LINE = re.compile(r"\s*deb\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<uri>\S+)\s+(?P<suite>\S+)")

#: Names of files that apt reads (GetListOfFilesInDir in apt-pkg/contrib/fileutl.cc).
_FILE_NAME = re.compile(r"[A-Za-z0-9_.-]+\.(list|sources)")


@dataclass(frozen=True)
class Source:
    """An archive of binary packages as an entry has it: its URI, which may be that of a list of mirrors, and suites."""

    uri: str
    suites: tuple[str, ...]

    @property
    def of_fixes_alone(self) -> bool:
        """Whether the entry is for security updates alone, which often come from a host of their own."""
        return bool(self.suites) and all(suite.endswith("-security") for suite in self.suites)


def read(directory: Path = Path("/etc/apt")) -> Iterator[Source]:
    """Yields the sources that apt reads, in apt's own order; disabled ones and those of other architectures are not.

    `directory` is laid out as sources.list(5) says: sources.list, sources.list.d/*.list (one line an entry) and
    sources.list.d/*.sources (deb822).
    """
    parts = sorted((directory / "sources.list.d").glob("*"))
    for path in [directory / "sources.list", *(part for part in parts if _FILE_NAME.fullmatch(part.name))]:
        if not path.is_file():
            continue
        text = path.read_text(errors="replace")
        with boundary(f"{path} is not a list of apt's sources"):
            entries = list(_one_line(text) if path.suffix == ".list" else _deb822(text))
        yield from entries


def places(source: Source, root: Path = Path("/"), *, remote: bool = False) -> Iterator[str]:
    """Yields the URLs of a source, without a closing slash: its own, or those of its list of mirrors in apt's order.

    A list on a web server is fetched with `remote` alone.
    """
    if source.uri.startswith(SCHEMES):
        yield source.uri.rstrip("/")
    elif apt_mirror_list.is_one(source.uri) and (remote or not apt_mirror_list.is_remote(source.uri)):
        yield from apt_mirror_list.mirrors(source.uri, root, ARCHITECTURE)


def by_role(root: Path = Path("/"), *, remote: bool = False) -> dict[str, str]:
    """Returns the URL of each role that apt has an archive of: the last folder of its URL (`…/debian-security`).

    Of several the first one counts, but none that is somebody else's by its Release file as apt last fetched it, and
    one for security updates alone, or deeper in its host than another (a PPA's, Docker's), only without another.
    Credentials of auth.conf are in the URL, as apt adds them.
    """
    urls: dict[str, tuple[tuple[bool, int], str]] = {}
    for source in read(root / "etc/apt"):
        for url in places(source, root, remote=remote):
            with boundary(f"apt has a source that is no URL: {redacted(url)}"):
                path = urlsplit(url).path
            role = path.rsplit("/", 1)[-1]
            if not role or _stranger(role, url, source.suites, root):
                continue
            rank = source.of_fixes_alone, path.count("/")
            if role not in urls or rank < urls[role][0]:
                urls[role] = rank, url
    with boundary("apt has a source or an auth.conf that cannot be read"):
        return {role: with_login(url, root / "etc/apt") for role, (_, url) in urls.items()}


def list_name(url: str) -> str:
    """Returns the name that apt gives to a downloaded index (URItoFileName in apt-pkg/contrib/strutl.cc)."""
    place = re.sub("^[a-z+]+:(//)?([^/@]*@)?", "", url)
    return re.sub(r"[\\|{}\[\]<>\"^~_=!@#$%&*]", lambda match: f"%{ord(match[0]):02x}", place).replace("/", "_")


def _stranger(role: str, url: str, suites: tuple[str, ...], root: Path) -> bool:
    """Tells whether an archive is not that of the distribution whose name it has, by its Origin."""
    origin = public_places.origin(role)
    for suite in suites if origin else ():
        name = list_name(f"{url}/dists/{suite}/")
        for release in (root / "var/lib/apt/lists" / f"{name}{file}" for file in ("InRelease", "Release")):
            if release.is_file():
                origin_match = re.search(r"^Origin:[ \t]*(.*?)\s*$", release.read_text(errors="replace"), re.MULTILINE)
                return (origin_match[1] if origin_match else "") != origin
    return False


def _one_line(text: str) -> Iterator[Source]:
    for line in text.splitlines():
        entry = _ONE_LINE.match(line.partition("#")[0])
        if not entry:
            continue
        options = dict(re.findall(r"([\w-]+)[+-]?=(\S+)", entry["options"] or ""))
        if "arch" not in options or ARCHITECTURE in options["arch"].split(","):
            yield Source(entry["uri"].strip('"'), (entry["suite"],))


def _deb822(text: str) -> Iterator[Source]:
    from debian.deb822 import Deb822

    for stanza in Deb822.iter_paragraphs(text.splitlines(), use_apt_pkg=False):
        if stanza.get("Enabled", "yes").strip().lower() in NO or "deb" not in stanza.get("Types", "").split():
            continue
        architectures = stanza.get("Architectures", "").replace(",", " ").split()
        if not architectures or ARCHITECTURE in architectures:
            for uri in stanza.get("URIs", "").split():
                yield Source(uri, tuple(stanza.get("Suites", "").split()))
