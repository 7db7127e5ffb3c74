"""The licences that packages and wheels declare, read from the layers that they were installed into."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from functools import cache
from itertools import zip_longest
from pathlib import Path

from cyclonedx.spdx import fixup_id, is_expression
from debian.deb822 import Deb822
from packaging.utils import canonicalize_name

from rigforge.attest.tree import find
from rigforge.foreign import leaving_out

#: One term of a licence in a debian/copyright file: a short name, and maybe what its text makes an exception of.
TERM = r"[^\s,]+(?: with \S+ exception)?"

#: Stands for a licence without a short name, whose text the file quotes.
OTHER = "other"

#: Characters; a longer entry in License is no name of a licence.
LONGEST_NAME = 80

#: The fields that say that a debian/copyright file is machine-readable (the second is of its drafts).
_FORMAT = ("Format", "Format-Specification")
_FILES = ("Files", "License")
_FIELDS = [*_FORMAT, *_FILES]

_SYNOPSIS = re.compile(rf"{TERM}(?:,? (?:and|or) {TERM})*", re.IGNORECASE)
_COMMON = re.compile(r"/usr/share/common-licenses/([\w.+-]*\w)")
_CLASSIFIER = "License :: "
_UNSAID = ("", "unknown", "osi approved")


@dataclass(frozen=True, order=True)
class Licence:
    """A licence: an SPDX identifier or expression where `spdx` says so, else a name as it was found."""

    name: str
    spdx: bool


def of_package(name: str, roots: Sequence[Path]) -> tuple[Licence, ...]:
    """Returns the licences of an installed .deb, all of which hold; none where they are not known.

    `roots` are the root directories of the layers, top first.
    """
    file = find(f"usr/share/doc/{name}/copyright", roots)
    if file and file.is_file():
        with leaving_out(file):
            return of_copyright(file.read_text(encoding="utf-8", errors="replace"))
    return ()


@cache
def of_copyright(text: str) -> tuple[Licence, ...]:
    """Returns the licences that a debian/copyright file names.

    Where it is not machine-readable, these are the files of /usr/share/common-licenses that it refers to.
    """
    # Not debian.copyright, which finds the same and takes eight times as long: it keeps all that it needs to edit them.
    paragraphs = list(Deb822.iter_paragraphs(text.splitlines(), fields=_FIELDS, use_apt_pkg=False))
    readable = bool(paragraphs) and any(name in paragraphs[0] for name in _FORMAT)
    synopses = {
        paragraph["License"].partition("\n")[0] for paragraph in paragraphs if all(name in paragraph for name in _FILES)
    }
    if readable and synopses:
        return tuple(sorted({_of_synopsis(" ".join(synopsis.split())) for synopsis in synopses}))
    table = _table("common")
    return tuple(sorted({_named(name, table.get(name.casefold())) for name in _COMMON.findall(text)}))


def of_wheels(packages: Path) -> dict[str, tuple[Licence, ...]]:
    """Returns the licences of the wheels in a directory of packages (site-packages), by their canonical names."""
    licences = {}
    for file in packages.glob("*.dist-info/METADATA"):
        with leaving_out(file):
            metadata = HeaderParser().parsestr(file.read_text(encoding="utf-8", errors="replace"))
            licences[str(canonicalize_name(metadata["Name"]))] = of_metadata(metadata)
    return licences


def of_conda(records: Iterable[Path]) -> dict[str, tuple[Licence, ...]]:
    """Returns the licences of conda packages, by their names, from their files in conda-meta."""
    licences: dict[str, tuple[Licence, ...]] = {}
    for file in records:
        with leaving_out(file):
            record = json.loads(file.read_text(encoding="utf-8"))
            name = (record.get("license") or "").strip()
            licences[record["name"]] = () if name.casefold() in _UNSAID else (_named(name, _spdx(name)),)
    return licences


def of_metadata(metadata: Message) -> tuple[Licence, ...]:
    """Returns the licences that a wheel's metadata names: License-Expression, else License, else the classifiers.

    Source: Core metadata specifications, versions 1.0 to 2.4.
    """
    if expression := metadata["License-Expression"]:
        return (_named(expression, _spdx(expression)),)
    table = _table("wheel")
    name = (metadata["License"] or "").strip()
    if "\n" in name or len(name) > LONGEST_NAME or name.casefold() in _UNSAID:
        classifiers = [line for line in metadata.get_all("Classifier", ()) if line.startswith(_CLASSIFIER)]
        names = {line.rpartition(" :: ")[2] for line in classifiers}
    else:
        names = {name}
    named = (name for name in names if name.casefold() not in _UNSAID)
    return tuple(sorted({_named(name, table.get(name.casefold()) or _spdx(name)) for name in named}))


def together(licences: Iterable[Licence]) -> tuple[Licence, ...]:
    """Returns licences that all hold as one, where all of them are SPDX's; else as they are, in order."""
    listed = tuple(sorted(set(licences)))
    if len(listed) < 2 or not all(licence.spdx for licence in listed):
        return listed
    terms = [f"({one.name})" if re.search(" (AND|OR) ", one.name) else one.name for one in listed]
    return (Licence(" AND ".join(terms), True),)


def _of_synopsis(synopsis: str) -> Licence:
    """Returns the licence of the first line of License: short names, "and", "or".

    "and" goes before "or" but for a comma: `A or B, and C` is `(A or B) and C` (section 7.2 of the specification).
    """
    if not _SYNOPSIS.fullmatch(synopsis):
        return Licence(OTHER, False)
    groups = re.split(r", (and|or) ", synopsis, flags=re.IGNORECASE)
    if len({word.casefold() for word in groups[1::2]}) > 1:
        return Licence(synopsis, False)
    terms = [term for group in groups[::2] if (term := _expression(group))]
    if len(terms) < len(groups[::2]):
        return Licence(synopsis, False)
    if len(terms) == 1:
        return Licence(terms[0], True)
    return Licence(f" {groups[1].upper()} ".join(f"({term})" if " " in term else term for term in terms), True)


def _expression(group: str) -> str | None:
    """Returns terms with "and" and "or" between them as an SPDX expression, or None where SPDX lacks one of them."""
    table = _table("debian")
    terms = re.split(r" (and|or) ", group, flags=re.IGNORECASE)
    terms[1::2] = [operator.upper() for operator in terms[1::2]]
    identifiers = [spdx for term in terms[::2] if (spdx := table.get(term.casefold()) or fixup_id(term))]
    if len(identifiers) < len(terms[::2]):
        return None
    return " ".join(word for pair in zip_longest(identifiers, terms[1::2], fillvalue="") for word in pair).strip()


def _named(name: str, spdx: str | None) -> Licence:
    return Licence(spdx, True) if spdx else Licence(name, False)


def _spdx(text: str) -> str | None:
    return fixup_id(text) or (text if is_expression(text) else None)


@cache
def _table(kind: str) -> Mapping[str, str]:
    """Returns the SPDX identifiers by the names that one kind of package uses, in lower case."""
    tables = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return {name.casefold(): spdx for name, spdx in tables[kind].items()}
