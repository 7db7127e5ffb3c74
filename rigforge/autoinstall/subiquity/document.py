"""An autoinstall document as YAML: its sections, where in the file they are, and what is doubtful about the text."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml

from rigforge.errors import RigforgeError
from rigforge.foreign import boundary
from rigforge.installer.section import MOST

#: Bytes; no document has more.
LARGEST = 1_000_000

Level = Literal["error", "unchecked", "warning"]

#: How bad what a warning tells of is: nobody can log in, a disk is erased, the installation ends, what was asked for
#: does not happen, something is doubtful.
LOCKED_OUT, ERASED, ENDS, NOT_DONE, DOUBTFUL = 1, 2, 3, 4, 5


@cache
def table(name: str) -> dict[str, Any]:
    """Returns one of the tables beside this file."""
    return tomllib.loads((files(__package__) / f"{name}.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Finding:
    """One thing about a document.

    `key` is a path such as "storage.layout.match", `line` counts from 1 (0: unknown). `harm` is of
    warnings, from LOCKED_OUT to DOUBTFUL.
    """

    level: Level
    key: str
    message: str
    hint: str = ""
    line: int = 0
    harm: int = DOUBTFUL


@dataclass(frozen=True)
class Document:
    """A document. `sections` are those of autoinstall, `wrapped` tells whether they are under the key `autoinstall`."""

    text: str
    whole: dict[str, Any]
    sections: dict[str, Any]
    wrapped: bool
    lines: dict[str, int]
    repeated: tuple[str, ...]


def read(path: Path) -> Document:
    """Reads a document.

    Raises RigforgeError where it cannot be read, is no YAML, is too large, or is no mapping.
    """
    try:
        content = path.read_bytes()
        text = content.decode()
    except OSError as error:
        raise RigforgeError(f"{path} cannot be read: {error.strerror}", "name an autoinstall document") from error
    except UnicodeDecodeError as error:
        raise RigforgeError(f"{path}: byte {error.start + 1} is not UTF-8", "save the file as UTF-8") from error
    if len(content) > LARGEST:
        raise RigforgeError(f"{path} has {len(content)} bytes, and no document has more than {LARGEST}")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        budget = iter(range(MOST))
        places = list(_places(node, "", budget)) if node else []
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise RigforgeError(f"{place}: {error.problem or error.context}", "correct the YAML") from error
    except Exception:  # PyYAML's constructors raise what they meet
        with boundary(str(path), "correct the YAML"):
            raise
    if not isinstance(data, dict):
        raise RigforgeError(
            f"{path} {'is empty' if data is None else 'is no mapping'}",
            "a document has keys, the first of them `version: 1`",
        )
    sections = data.get("autoinstall", data) if "autoinstall" in data else data
    if not isinstance(sections, dict):
        raise RigforgeError(f"{path}: autoinstall: no mapping", "below it are the keys, the first of them `version: 1`")
    lines: dict[str, int] = {}
    repeated = []
    for key, line in places:
        short = key.removeprefix("autoinstall.") if "autoinstall" in data else key
        if short in lines:
            repeated.append(short)
        lines[short] = line
    return Document(text, data, sections, "autoinstall" in data, lines, tuple(repeated))


def _places(node: yaml.Node, path: str, budget: Iterator[int]) -> Iterator[tuple[str, int]]:
    """Yields the path and line of every key. Raises ValueError for more values than `budget` has."""
    if next(budget, None) is None:
        raise ValueError(f"more than {MOST} values, once aliases are followed")
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = f"{path}.{key.value}" if path else str(key.value)
            yield place, key.start_mark.line + 1
            yield from _places(value, place, budget)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield f"{path}[{number}]", item.start_mark.line + 1
            yield from _places(item, f"{path}[{number}]", budget)
