"""Strict reading of YAML: every key is known and appears once, every value has its type."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

import yaml

from rigforge.rules.nearest import nearest

#: Where the subset is described, for hints.
MANUAL = "docs/autoinstall.md lists every key and what it takes"

#: A document has no more values once its aliases are followed: a few lines can stand for billions.
MOST = 100_000


T = TypeVar("T", bound=str)


class DocumentError(ValueError):
    """The document asks for what the installer cannot do, or for a machine that nobody can use.

    `where` is the document's origin, `key` the dotted key, `problem` what is wrong with it;
    `message` is all three, `hint` says what to do about it. Secrets are never quoted.
    """

    def __init__(self, where: str, key: str, problem: str, hint: str = "") -> None:
        self.where, self.key, self.problem, self.hint = where, key, problem, hint
        self.message = ": ".join(filter(None, (where, key, problem)))
        super().__init__(self.message)


class DocumentSection:
    """One mapping of the document; `key` is its dotted place, "" for the top level.

    `refused` names known keys that are outside the subset, with the reason.
    Raises DocumentError for them, for unknown keys and for anything but a mapping.
    """

    def __init__(
        self, where: str, key: str, value: object, keys: Collection[str], refused: Mapping[str, str] | None = None
    ) -> None:
        self.where, self.key = where, key
        if not isinstance(value, dict):
            raise DocumentError(where, key, f"must be a mapping, not {kind(value)}", MANUAL)
        self.values: dict[str, Any] = value
        refused = refused or {}
        for name in value:
            if not isinstance(name, str):
                raise self.error("", f"the key {name!r} is {kind(name)}, not text", "put quotes around it")
            if name in refused:
                raise self.error(name, f"this installer does not do this: {refused[name]}", MANUAL)
            if name not in keys:
                raise self.error("", f"unknown key {name!r}", did_you_mean(name, [*keys, *refused]) or MANUAL)

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def error(self, name: str, problem: str, hint: str = "") -> DocumentError:
        """Returns the error for the key `name` of this section, or for the section itself when `name` is ""."""
        return DocumentError(self.where, ".".join(filter(None, (self.key, name))), problem, hint)

    def get(self, name: str) -> Any:
        """Returns the value as it stands, None when the key is absent."""
        return self.values.get(name)

    def text(self, name: str, default: str | None = None) -> str:
        """Returns one line of text; without a default the key is required."""
        if name not in self.values and default is not None:
            return default
        if name not in self.values:
            raise self.error(name, "is missing", MANUAL)
        value = self.values[name]
        if not isinstance(value, str):
            raise self.error(name, f"must be text, not {kind(value)}", _as_text(value))
        if not value.isprintable():
            raise self.error(name, "must be one line without control characters")
        return value

    def flag(self, name: str) -> bool | None:
        """Returns true, false, or None when the key is absent."""
        value = self.values.get(name)
        if name in self.values and not isinstance(value, bool):
            raise self.error(name, f"must be true or false, not {kind(value)}")
        return value

    def choice(self, name: str, choices: Collection[T], default: T | None = None) -> T:
        """Returns one of `choices`."""
        value = self.text(name, default)
        if value == default:
            return default
        for choice in choices:
            if choice == value:
                return choice
        raise self.error(name, f"{value!r} is not one of: {', '.join(choices)}", did_you_mean(value, choices))

    def texts(self, name: str) -> tuple[str, ...]:
        """Returns a list of lines of text, empty when the key is absent."""
        value = self.values.get(name, [])
        if not isinstance(value, list):
            raise self.error(name, f"must be a list, not {kind(value)}")
        for item in value:
            if not isinstance(item, str):
                raise self.error(name, f"must hold text, not {kind(item)}", _as_text(item))
            if not item.strip().isprintable():
                raise self.error(name, "each entry must be one line without control characters")
        return tuple(item.strip() for item in value)


def kind(value: object) -> str:
    """Returns what a YAML value is, in the words of YAML."""
    names = {dict: "a mapping", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return "empty (null)" if value is None else names.get(type(value), f"a {type(value).__name__}")


def words(text: str) -> tuple[str, ...]:
    """Returns the words of a table that is written as a block of text."""
    return tuple(text.split())


def did_you_mean(name: str, choices: Collection[str]) -> str:
    """Returns a hint naming the choice that `name` resembles, or "": case apart, and whether - or _ is in it."""
    by_folded = {_folded(choice): choice for choice in choices}
    near = nearest(_folded(name), by_folded)
    return f"did you mean {by_folded[near[0]]!r}?" if near else ""


def _folded(name: str) -> str:
    return name.replace("_", "-").lower()


def load(text: str, where: str) -> object:
    """Returns the YAML value of `text`.

    Raises DocumentError for malformed YAML, for a key given twice, and for more than `MOST` values.
    """
    try:
        loader = _StrictLoader(text)
        node = loader.get_single_node()
        few = not node or _values(node) <= MOST
        value = loader.construct_document(node) if node and few else None
    except Exception as error:  # PyYAML's constructors raise what they meet
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "is not text that YAML can hold"
        raise DocumentError(where, "", f"not valid YAML{line}: {problem}") from None
    if not few:
        raise DocumentError(where, "", f"more than {MOST} values, once aliases are followed")
    return value


def _values(node: yaml.Node) -> int:
    """Counts the values of a document with its aliases followed, as far as just beyond `MOST`."""
    pending, values = [node], 0
    while pending and values <= MOST:
        values += 1
        match pending.pop():
            case yaml.MappingNode(value=pairs):
                pending += [child for pair in pairs for child in pair]
            case yaml.SequenceNode(value=items):
                pending += items
    return values


def _as_text(value: object) -> str:
    return "leave the key out" if value is None else "" if isinstance(value, (dict, list)) else "put quotes around it"


class _StrictLoader(yaml.SafeLoader):
    """A SafeLoader that refuses a key given twice, where YAML's own would keep the last one silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = set()
        for key_node, _ in node.value:
            key = key_node.value
            if isinstance(key, str) and key != "<<":
                if key in keys:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key!r} is given twice", key_node.start_mark
                    )
                keys.add(key)
        return super().construct_mapping(node, deep)
