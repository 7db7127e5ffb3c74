"""Keys that the installer passes over without a word: mistyped ones, and those that belong elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rigforge.autoinstall.subiquity import cloud_config_schema
from rigforge.autoinstall.subiquity.accepted import Release, known
from rigforge.autoinstall.subiquity.document import ERASED, NOT_DONE, Finding, table
from rigforge.autoinstall.subiquity.lint.finding import items, mapping, warning
from rigforge.autoinstall.subiquity.schema_error import nearest


def warnings(sections: dict[str, Any], release: Release) -> Iterator[Finding]:
    """Yields one warning for the sections that a release does not know, and one for each section with such keys."""
    names, since = known(release), _since()
    unknown_names = [str(name) for name in sections if name not in names]
    for name in since.keys() & set(unknown_names):
        message = f"the installer of {release} does not know it, and ignores it"
        yield warning(name, message, f"known from {since[name]} on", NOT_DONE)
    if extras := [name for name in unknown_names if name not in since]:
        yield _ignored("", extras, sorted(names), release)
    reads: Mapping[str, Sequence[str]] = table("lint")["keys"]
    for path, keys in reads.items():
        for place, value in _at(sections, path):
            if extras := [str(name) for name in value if name not in keys]:
                yield _ignored(f"{place}.", extras, keys, release)
    data, identity = mapping(sections.get("user-data")), mapping(sections.get("identity"))
    if identity and "hostname" in data and data.get("preserve_hostname") is not False:
        yield warning("user-data.hostname", "the one of identity counts", "remove one of them", NOT_DONE)


def _since() -> dict[str, str]:
    """Returns the release from which on a section is known, of those that came later than the others."""
    sections = table("sections").items()
    return {name: section["since"] for name, section in sections if isinstance(section, dict) and "since" in section}


def _at(sections: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the mappings at a path of sections; where there is a list of them, each of it."""
    value: Any = sections
    for key in path.split("."):
        value = mapping(value).get(key)
    for number, item in enumerate(items(value)):
        yield f"{path}[{number}]", mapping(item)
    yield path, mapping(value)


def _ignored(prefix: str, names: Sequence[str], keys: Sequence[str], release: str) -> Finding:
    subject = "it" if len(names) == 1 else ", ".join(names)
    message = f"{subject} {'is' if len(names) == 1 else 'are'} ignored"
    if prefix.startswith("network"):  # It is handed on as it is.
        message = f"netplan does not know {subject}, and sets up nothing"
    harm = ERASED if prefix.startswith("storage.layout.match") else NOT_DONE
    return warning(f"{prefix}{names[0]}", message, "; ".join(_cures(prefix, names, keys, release)), harm)


def _cures(prefix: str, names: Sequence[str], keys: Sequence[str], release: str) -> Iterator[str]:
    suggestions = {name: near for name in names if (near := nearest(name, keys))}
    if suggestions:
        yield f"did you mean {', '.join(suggestions.values())}?"
    rest = [name for name in names if name not in suggestions]
    of_cloud_init = [name for name in rest if name in cloud_config_schema.names(release) - {"version"}]
    if places := list(dict.fromkeys(place for name in rest if (place := _place(name, prefix)))):
        yield f"it belongs below {' or '.join(places)}"
    elif of_cloud_init:
        yield f"{', '.join(of_cloud_init)} of cloud-init: put it below user-data"
    elif rest:
        yield f"known are: {', '.join(keys)}" if prefix else f"remove {', '.join(rest)}"


def _place(name: str, prefix: str) -> str:
    """Returns where a key is read that is at the top, or at a wrong place of its section; "" for nowhere or several."""
    section = prefix.split(".")[0]
    paths = [path for path, keys in table("lint")["keys"].items() if name in keys]
    likely = [path for path in paths if (path.split(".")[0] == section if section else "." not in path)]
    return likely[0] if len(likely) == 1 else ""
