"""Which host serves which archive role on this machine, and where exactly a locked file is to be had."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import pydantic
import requests
from packaging.utils import canonicalize_name

from rigforge import paths
from rigforge.errors import RigforgeError
from rigforge.records.file import LockedFile
from rigforge.sources import apt_proxy, apt_sources, public_places, tool_defaults
from rigforge.sources.apt_sources import SCHEMES
from rigforge.sources.host_config import conda_channel, python_index, read_toml

#: Seconds to wait for a connection, and for the next byte.
TIMEOUT = (10.0, 30.0)


def _nowhere(role: str) -> str:
    return ""


class FileGoneError(RigforgeError):
    """A locked file is no longer where its archive said it was."""

    def __init__(self, file: LockedFile, place: str) -> None:
        super().__init__(
            f"{file.file} is not to be had any more at {place}",
            "renew the lock with `invoke lock --upgrade`, or give a directory that still has the file with "
            f"`--mirror DIR` (as DIR/{file.mirror_path})",
        )


@dataclass(frozen=True)
class Mirrors:
    """The base URL of every archive role that this machine knows, and a directory that is looked into first.

    `tools` has roles whose URL is asked for when it is needed: the libraries that know it take long to import.
    `default` says where any other role is that nothing on this machine names, or "". `root` is where the machine's own
    configuration begins.
    """

    urls: Mapping[str, str]
    directory: Path | None = None
    config: Path = field(default_factory=paths.config_file)
    tools: Mapping[str, Callable[[], str]] = field(default_factory=dict)
    default: Callable[[str], str] = _nowhere
    root: Path = Path("/")

    @classmethod
    def from_environment(cls, directory: Path | None = None, root: Path = Path("/")) -> Mirrors:
        """Returns what the user's `[mirrors]` says, else what apt, uv, pip and conda use here, else defaults.

        An apt entry serves the role that its URI ends in (`…/debian-security`). Defaults are public places
        (`public_places.toml`), and for Debian's archive what mmdebstrap or python-apt has. `directory` holds
        single files by role, as DIR/debian/pool/… and DIR/pypi/NAME.whl. `root` is where the machine's
        own configuration begins.
        Raises RigforgeError for a directory that is not there and for a configuration of apt or the user that cannot
        be read.
        """
        if directory is not None and not directory.is_dir():
            raise RigforgeError(f"the mirror directory {directory} is not there")
        tools = {
            "pypi": partial(_python_index, root),
            "conda-forge": partial(conda_channel, "conda-forge", root=root),
        }
        urls = {role: url for role, url in apt_sources.by_role(root).items() if role not in tools}
        urls |= _configured(paths.config_file())
        # A list on a web server is fetched once, and only where it is asked for.
        remote = cache(partial(apt_sources.by_role, root, remote=True))
        return cls(urls, directory, tools=tools, default=partial(_default, root=root, remote=remote), root=root)

    def url(self, role: str) -> str:
        """Returns the base URL of `role`, without a closing slash.

        Raises RigforgeError where nothing on this machine says who serves it, or what says so cannot be read.
        """
        if role not in self.urls and role in self.tools:
            return self.tools[role]()
        if role not in self.urls and (url := self.default(role)):
            return url
        if role not in self.urls:
            raise RigforgeError(
                f"nothing on this machine says where the archive `{role}` is",
                f'name a mirror in {self.config}, in the table [mirrors]: {role} = "http://HOST/{role}"',
            )
        return self.urls[role]

    def proxies(self) -> dict[str, str]:
        """Returns the proxies that apt goes through to its archives, by scheme and host, as requests has them.

        They are often caches of packages: what is no archive of apt's does not go through them.
        """
        other_roles = {*self.tools, *(role for role in public_places.roles() if not public_places.origin(role))}
        public_urls = [public_places.url(role) for role in public_places.roles() if role not in other_roles]
        return apt_proxy.proxies(
            [*(url for role, url in self.urls.items() if role not in other_roles), *public_urls], self.root
        )


def locate(file: LockedFile, mirrors: Mirrors, session: requests.Session) -> Path | str:
    """Returns where `file` is to be had: a path on this machine, or an HTTP URL.

    Raises FileGoneError where the index no longer lists a wheel, RigforgeError where the role is
    unknown or its index is none, and requests' errors where an index does not answer.
    """
    if mirrors.directory and (local_path := mirrors.directory / file.mirror_path).is_file():
        return local_path
    role, path = file.file.split(":", 1)
    base = mirrors.url(role)
    if file.kind == "wheel":
        return _wheel_url(file, path, base, session)
    # apt quotes `+` too, because object stores read it as a space.
    url = f"{base}/{quote(path, safe='/~')}"
    return Path(unquote(urlsplit(url).path)) if url.startswith(("file:", "copy:")) else url


def without_credentials(url: str) -> str:
    """Returns `url` as it may be shown: without user name and password."""
    try:
        parts = urlsplit(url)
    except ValueError:  # such as "http://[::1"
        return re.sub(r"(?<=//)[^/]*@", "", url)
    # Put together anew, file:/srv would become file:///srv, which apt never says.
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else url


def _wheel_url(file: LockedFile, name: str, index: str, session: requests.Session) -> str:
    # It takes longer to import than a build takes in which nothing has changed.
    from pypi_simple import NoSuchProjectError, PyPISimple, UnsupportedContentTypeError, UnsupportedRepoVersionError

    project = canonicalize_name(name.split("-", 1)[0])
    page_url = without_credentials(f"{index}/{project}/")
    try:
        page = PyPISimple(index, session=session).get_project_page(project, timeout=TIMEOUT)
    except NoSuchProjectError as error:
        raise FileGoneError(file, page_url) from error
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema):
        raise
    except (
        # What comes of reading something else as a page of a package index.
        UnsupportedContentTypeError,
        UnsupportedRepoVersionError,
        pydantic.ValidationError,
        ValueError,
        RecursionError,
    ) as error:
        raise RigforgeError(f"{page_url} is not a page of a Python package index: {error}") from error
    for package in page.packages:
        if package.filename == name:
            return package.url
    raise FileGoneError(file, page_url)


def _default(role: str, root: Path, remote: Callable[[], Mapping[str, str]]) -> str:
    """Returns where a role is that no file of this machine names: by apt's lists on web servers, or by default."""
    return remote().get(role, "") or public_places.url(role) or tool_defaults.url(role, root)


def _python_index(root: Path) -> str:
    if index_url := python_index(root=root):
        return index_url
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    return PYPI_SIMPLE_ENDPOINT.rstrip("/")


def _configured(path: Path) -> dict[str, str]:
    table = read_toml(path).get("mirrors", {})
    if not isinstance(table, dict):
        raise RigforgeError(f"{path}: mirrors is not a table", '[mirrors] holds lines of role = "URL"')
    for role, url in table.items():
        if not isinstance(url, str) or not url.startswith(SCHEMES):
            raise RigforgeError(
                f"{path}: mirrors.{role} is not a URL: {url!r}", f"a URL starts with one of {', '.join(SCHEMES)}"
            )
    return {role: url.rstrip("/") for role, url in table.items()}
