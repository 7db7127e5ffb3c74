"""Python package indices: uv resolves, for the target's Python and C library, to one wheel a package."""

from __future__ import annotations

import re
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import BuildTag, canonicalize_name, parse_wheel_filename

from rigforge import paths
from rigforge.errors import RigforgeError
from rigforge.foreign import boundary
from rigforge.process import run
from rigforge.sources.mirrors import TIMEOUT, without_credentials

#: The newest C library that uv has a platform name for; a wheel for an older one runs on a newer one.
NEWEST_GLIBC = 40

#: What platforms were called before they were called after their glibc 2.x (PEP 600).
_OLD_NAMES = {17: ("manylinux2014",), 12: ("manylinux2010",), 5: ("manylinux1",)}


_OTHER_MIRROR = "use another mirror for role pypi"


@dataclass(frozen=True, order=True)
class Wheel:
    """The wheel of one package that fits the target; `size` in bytes."""

    name: str
    version: str
    filename: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Index:
    """An index, asked for wheels that fit one target.

    `url` is the root of its simple API (PEP 503, PEP 691), `python` a series such as "3.11", `glibc` the
    target's C library as (major, minor).
    """

    url: str
    python: str
    glibc: tuple[int, int]

    def resolve(
        self,
        wishes: Mapping[str, str],
        *,
        constraints: Iterable[str] = (),
        preferred: Mapping[str, str] | None = None,
        fresh: bool = False,
    ) -> tuple[Wheel, ...]:
        """Returns the wheels of a consistent set that has all wishes, sorted by name.

        `wishes` has requirements (PEP 508) and, for messages, the stack's key that asks for each;
        `constraints` are requirements for what gets in; of `preferred`, versions by name, uv takes what
        still fits. `fresh` asks the index again for what uv has cached.

        Raises RigforgeError, with uv's explanation, where there is no such set, or the index does not answer.
        """
        if not wishes:
            return ()
        with tempfile.TemporaryDirectory(prefix="rigforge-pypi-") as name:
            directory = Path(name)
            lock = directory / "pylock.toml"
            (directory / "wishes.txt").write_text("\n".join(wishes))
            (directory / "constraints.txt").write_text("\n".join(constraints))
            if preferred:
                lock.write_text(_preferences(preferred))
            result = run(
                [
                    sys.executable, "-P", "-m", "uv", "pip", "compile", "wishes.txt",
                    "--constraints", "constraints.txt", "--format", "pylock.toml", "--output-file", lock,
                    "--python-version", self.python, "--python-platform", self._platform(),
                    "--only-binary", ":all:", "--default-index", self.url, *(["--refresh"] if fresh else []),
                    "--no-config", "--no-python-downloads", "--quiet", "--color", "never",
                    "--cache-dir", paths.home() / "uv",
                ],
                env={"UV_HTTP_RETRIES": "2", "UV_HTTP_TIMEOUT": "15"},
                cwd=directory,
                check=False,
            )  # fmt: skip
            if result.returncode:
                raise self._unresolved(wishes, result.stderr.strip())
            with boundary(f"the index of Python packages (role pypi, {without_credentials(self.url)})", _OTHER_MIRROR):
                packages = tomllib.loads(lock.read_text(encoding="utf-8")).get("packages", [])
                tags = self._tags()
                return tuple(sorted(_wheel(package, tags) for package in packages))

    def _platform(self) -> str:
        major, minor = self.glibc
        return f"x86_64-manylinux_{major}_{min(minor, NEWEST_GLIBC)}"

    def _tags(self) -> dict[Tag, int]:
        """Returns the target's wheel tags and their rank, the best first (PEP 425, PEP 600)."""
        major, minor = self.glibc
        names = [name for n in range(minor, 4, -1) for name in (f"manylinux_{major}_{n}", *_OLD_NAMES.get(n, ()))]
        platforms = [f"{name}_x86_64" for name in (*names, "linux")]
        version = tuple(map(int, self.python.split(".")))
        interpreter = f"cp{''.join(map(str, version))}"
        tags = [
            *cpython_tags(version, abis=[interpreter], platforms=platforms),
            *compatible_tags(version, interpreter, platforms),
        ]
        return {tag: rank for rank, tag in reversed(list(enumerate(tags)))}

    def _unresolved(self, wishes: Mapping[str, str], explanation: str) -> RigforgeError:
        url = without_credentials(self.url)
        if "No solution found" not in explanation:
            return RigforgeError(
                f"the index of Python packages (role pypi, {url}) cannot be used:\n{explanation}",
                "check the network and the mirror: `pypi` of [mirrors] in Rigforge's configuration, else uv's or pip's",
            )
        conflicts = {wish: key for wish, key in wishes.items() if _is_named(wish, explanation)} or wishes
        wish_list = ", ".join(f"{wish} ({key})" for wish, key in conflicts.items())
        return RigforgeError(
            f"no set of wheels for Python {self.python} has all Python packages asked for:\n{explanation}",
            f"correct what the stack asks for: {wish_list}",
        )


def _is_named(wish: str, text: str) -> bool:
    name = re.escape(canonicalize_name(Requirement(wish).name))
    return bool(re.search(rf"(?<![\w.-]){name}(?![\w-])", text))


def _preferences(versions: Mapping[str, str]) -> str:
    """Returns the least that uv reads as a former result, whose versions it keeps where it can."""
    packages = (f'[[packages]]\nname = "{name}"\nversion = "{version}"\n' for name, version in sorted(versions.items()))
    return 'lock-version = "1.0"\ncreated-by = "rigforge"\n' + "".join(packages)


def _wheel(package: dict[str, Any], tags: Mapping[Tag, int]) -> Wheel:
    """Returns the best wheel of a package: uv lists all that fit, and all builds of each."""
    name, version = package["name"], package["version"]
    if not package.get("wheels"):
        raise RigforgeError(f"the index of Python packages has no wheel of {name} {version}", _OTHER_MIRROR)
    filename, wheel = max(
        ((unquote(urlsplit(wheel["url"]).path.rsplit("/", 1)[-1]), wheel) for wheel in package["wheels"]),
        key=lambda pair: _preference(pair[0], tags),
    )
    if "sha256" not in wheel["hashes"]:
        raise RigforgeError(f"the index of Python packages has no sha256 for {filename}", _OTHER_MIRROR)
    return Wheel(name, version, filename, wheel.get("size") or _size(wheel["url"]), wheel["hashes"]["sha256"])


def _preference(filename: str, tags: Mapping[Tag, int]) -> tuple[int, BuildTag]:
    """Higher is better: first how well the wheel's tags fit, then the build."""
    _, _, build, wheel_tags = parse_wheel_filename(filename)
    return -min(tags.get(tag, len(tags)) for tag in wheel_tags), build


def _size(url: str) -> int:
    """Asks for a file's size (bytes), which indices that have only HTML pages do not tell."""
    try:
        response = requests.head(url, timeout=TIMEOUT, allow_redirects=True)
        response.raise_for_status()
        return int(response.headers["Content-Length"])
    except (requests.RequestException, KeyError, ValueError) as error:
        raise RigforgeError(
            f"the size of {without_credentials(url)} is not to be had ({error})", _OTHER_MIRROR
        ) from error
