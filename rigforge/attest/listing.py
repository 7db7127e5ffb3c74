"""What a build leaves together: an artifact, its SBOMs and provenance, and a checksum file over all of it.

    rigforge-STACK.sha256    lists rigforge-STACK.iso, rigforge-STACK.cdx.json, rigforge-STACK.intoto.json
    STACK.sha256             lists STACK/index.json, STACK-IMAGE.cdx.json of each image, STACK.intoto.json

An artifact that is a folder is listed by its index, which names the rest by digest.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from rigforge import artifacts
from rigforge.artifacts import ARTIFACTS
from rigforge.artifacts.artifact import CHECKSUMS
from rigforge.errors import RigforgeError
from rigforge.records.checksums import parse
from rigforge.store.comparison import Expected, compare

#: The artifacts that are folders.
FOLDERS = tuple(artifact for artifact in ARTIFACTS if artifact.index)

#: How many problems a message names.
_NAMED = 10


class AlteredError(RigforgeError):
    """Files are missing, or not as they are listed."""


def checksum_file(target: Path) -> Path:
    """Returns the checksum file that lists `target`: an artifact, another file of a build, or itself.

    Raises RigforgeError where `target` is not there, and where no checksum file beside it lists it.
    """
    if not target.exists():
        nouns = [f"the folder of {artifact.noun}" if artifact.index else artifact.noun for artifact in ARTIFACTS]
        names = ", ".join(dict.fromkeys(nouns))
        raise RigforgeError(f"there is no file {target}", f"name {names}, or a file beside it")
    if target.name.endswith(CHECKSUMS):
        return target
    if target.is_dir():
        if not artifacts.at(target):
            reasons = [f"{artifact.noun}: it has no {artifact.index}" for artifact in FOLDERS]
            places = [f"out/{artifact.folder}/{artifact.name.format(stack='STACK')}" for artifact in FOLDERS]
            raise RigforgeError(f"{target} is not {', nor '.join(reasons)}", f"name one, {' or '.join(places)}")
        own, listing = target.with_name(target.name + CHECKSUMS), []
    else:
        own = target.with_suffix(CHECKSUMS)
        listing = [file for file in sorted(target.parent.glob(f"*{CHECKSUMS}")) if target.name in parse(_text(file))]
    # Its own goes before others, and may have lost the line: then it is the altered file.
    if own.is_file() and (own in listing or not listing):
        return own
    if listing:
        return listing[0]
    raise RigforgeError(
        f"no checksum file for {target}: beside it is no NAME{CHECKSUMS} that lists it",
        f"keep {own.name} and its signature beside it, under the names that they came with",
    )


def listed(checksums: Path) -> dict[str, str]:
    """Returns sha256 (hex) by name of all that a checksum file lists.

    Raises RigforgeError where it lists nothing, or holds a line of another form or a name twice.
    """
    text = _text(checksums)
    sums = parse(text)
    if not sums or len(sums) != len(text.splitlines()):
        raise RigforgeError(f"{checksums} is not a list of sha256sum(1)", "build anew what it belongs to")
    return sums


def asked(target: Path, checksums: Path, sums: Mapping[str, str]) -> list[str]:
    """Returns the names in `sums` that `target` stands for: one, or all of them for the checksum file itself.

    Raises RigforgeError where `target` is not among them.
    """
    if target == checksums:
        return sorted(sums)
    artifact = artifacts.at(target) if target.is_dir() else None
    name = f"{target.name}/{artifact.index}" if artifact else target.name
    if name not in sums:
        raise RigforgeError(f"{checksums} does not list {name}", "keep the names that the files came with")
    return [name]


def check(names: Collection[str], checksums: Path, sums: Mapping[str, str]) -> None:
    """Checks the files `names` beside `checksums` against `sums`, and all that the index of a folder names.

    Raises AlteredError naming those that are missing or altered.
    """
    _compare((Expected(name, sums[name]) for name in names), checksums.parent, checksums)
    for name in names:
        index = checksums.parent / name
        for artifact in FOLDERS:
            if index.name == artifact.index:
                for expected in artifact.contents(index.parent):
                    _compare(expected, index.parent, index)


def origin(provenance: Path, sums: Mapping[str, str]) -> str:
    """Returns from a provenance (SLSA, version 1) the stack and the lock's digest, as fields of a trusted comment.

    Raises RigforgeError where it does not name them, or is about other files of these names than those in `sums`.
    """
    try:
        statement = json.loads(_text(provenance))
        subjects = {subject["name"]: subject["digest"]["sha256"] for subject in statement["subject"]}
        definition = statement["predicate"]["buildDefinition"]
        stack = definition["externalParameters"]["stack"]
        (lock,) = (one for one in definition["resolvedDependencies"] if one.get("name") == "lock")
        text = f"stack:{stack}\tlock:sha256:{lock['digest']['sha256']}"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RigforgeError(
            f"{provenance} does not say which stack and lock it is about", "build anew what it belongs to"
        ) from error
    for name in subjects.keys() & sums.keys():
        if subjects[name] != sums[name]:
            raise RigforgeError(f"{provenance} is about another {name} than this one", "build it anew")
    return text


def _compare(expected: Iterable[Expected], folder: Path, listing: Path) -> None:
    problems = compare(expected, folder)
    if not problems:
        return
    lines = [f"{folder / problem.path} {problem.reason}" for problem in problems[:_NAMED]]
    if len(problems) > _NAMED:
        lines.append(f"and {len(problems) - _NAMED} more")
    raise AlteredError(
        "\n  ".join([f"not as {listing.name} lists it:", *lines]),
        "get what is named again from where it came from, or build it anew",
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise RigforgeError(f"{path} cannot be read: {error.strerror}", "make it a readable file") from error
