"""A package's fields as dpkg reads them: versions and their order (deb-version(7)), dependencies (deb-control(5))."""

from __future__ import annotations

from dataclasses import dataclass

from debian.deb822 import PkgRelation
from debian.debian_support import Version


@dataclass(frozen=True)
class Need:
    """A package that another one depends on, with the relation to a version where there is one ("=", "6.8.0-88.89")."""

    name: str
    relation: str = ""
    version: str = ""


def needs(depends: str) -> tuple[Need, ...]:
    """Returns what a field Depends names, all alternatives of it."""
    relations = PkgRelation.parse_relations(depends) if depends else []
    return tuple(
        Need(alternative["name"], *(alternative.get("version") or ()))
        for alternatives in relations
        for alternative in alternatives
    )


def order(version: str) -> Version:
    """Returns what versions are sorted by, the oldest first."""
    return Version(version)
