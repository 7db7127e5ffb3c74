"""All places, asked one after the other; what did not answer is told with the reason."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import requests
import urllib3
from packaging.version import Version

from rigforge.compat.tables import Tables
from rigforge.errors import RigforgeError
from rigforge.facts import nvidia, pci_ids, pypi
from rigforge.facts.archives import Archives
from rigforge.redact import redacted
from rigforge.sources.mirrors import Mirrors
from rigforge.sources.web import session

#: What a place can do instead of answering; the last four are of answers that are something else.
_NO_ANSWER = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    RigforgeError,
    OSError,
    zipfile.BadZipFile,
    ValueError,
    LookupError,
    StopIteration,
)


@dataclass(frozen=True)
class Answers:
    """What was seen, by place (`asked`: the day, `facts`), and why the others did not answer."""

    seen: dict[str, Any]
    unanswered: dict[str, str]


def ask_all(tables: Tables, places: Mapping[str, Any], today: date, say: Callable[[str], None]) -> Answers:
    """Asks every place for its facts; `say` is told of each before it is asked."""
    mirrors = Mirrors.from_environment()
    web = session(mirrors.proxies())
    archives = Archives(mirrors, web, places)
    asked: dict[str, Callable[[], dict[str, Any]]] = {
        "pypi": lambda: pypi.observe(pypi.PackageIndex(mirrors.url("pypi"), web), places["pypi"]),
        "pci-ids": lambda: _pci_ids(archives.pci_ids(), places["pci-ids"]),
        **{
            f"archive {distribution} {release}": lambda rows=rows: {"drivers": _together(archives, rows)}  # type: ignore[misc]
            for (distribution, release), rows in _releases(places).items()
        },
        "nvidia branches": lambda: {"branches": nvidia.branches(web, places["nvidia"]["releases"])},
        "nvidia toolkits": lambda: {"toolkits": _toolkits(tables, mirrors, web, places["nvidia"])},
    }
    answers = Answers({}, {})
    for place, facts in asked.items():
        say(place)
        try:
            answers.seen[place] = {"asked": today.isoformat(), "facts": facts()}
        except _NO_ANSWER as error:
            reason = error.message if isinstance(error, RigforgeError) else f"{type(error).__name__}: {error}"
            lines = redacted(reason).strip().splitlines()
            answers.unanswered[place] = lines[0][:300] if lines else "no answer"
    return answers


def _toolkits(
    tables: Tables, mirrors: Mirrors, web: requests.Session, place: Mapping[str, Any]
) -> dict[str, dict[str, str]]:
    versions = [str(each.version) for each in tables.releases]
    return nvidia.toolkits(web, f"{mirrors.url(place['role'])}/{place['toolkit']}", versions)


def _pci_ids(text: str, place: Mapping[str, Any]) -> dict[str, Any]:
    listed = pci_ids.cards(text, place["vendor"], place["no_card"])
    return {"version": pci_ids.version_of(text), "cards": pci_ids.as_json(listed)}


def _releases(places: Mapping[str, Any]) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    places_by_release: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for place in places["archive"]:
        places_by_release.setdefault((place["distribution"], place["release"]), []).append(place)
    return places_by_release


def _together(archives: Archives, rows: list[Mapping[str, Any]]) -> list[str]:
    return sorted({version for place in rows for version in archives.drivers(place)}, key=Version)
