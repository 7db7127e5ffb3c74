"""cloud-init's schema over time: a package's is brought to the version that judges user-data on a release's medium."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.version import Version

from rigforge.autoinstall.subiquity.cloud_init import Package
from rigforge.autoinstall.subiquity.document import table

_Node = dict[str, Any]


def judge(release: str) -> Version:
    """Returns the version of cloud-init that judges user-data in a release's installer."""
    return Version(table("cloud_config")["judges"][release])


def names(release: str) -> frozenset[str]:
    """Returns all keys that a release's cloud-init knows at the top."""
    by_version: Mapping[str, list[str]] = table("cloud_config")["names"]
    return frozenset(name for since, names in by_version.items() if Version(since) <= judge(release) for name in names)


def of_release(package: Package, release: str) -> _Node:
    """Returns the schema that judges on a release's medium, made from a package's."""
    schema = copy.deepcopy(package.schema)
    # From 23.4 on a list of all names, without a word on their values.
    schema.pop("properties", None)
    schema["$defs"] |= copy.deepcopy(table("cloud_config")["definitions"])
    changes = sorted(table("cloud_config")["changes"], key=lambda change: Version(change["since"]))
    target = judge(release)
    for change in changes:
        if package.version < Version(change["since"]) <= target:
            _apply(schema, change)
    for change in reversed(changes):
        if target < Version(change["since"]) <= package.version:
            _apply(schema, _undone(change))
    return {**schema, "properties": {name: {} for name in names(release)}, "additionalProperties": False}


def _undone(change: Mapping[str, Any]) -> dict[str, Any]:
    other = {"new": "gone", "gone": "new", "values_new": "values_gone", "values_gone": "values_new"}
    other |= {"was": "is", "is": "was"}
    return {other.get(name, name): value for name, value in change.items()}


def _apply(schema: _Node, change: Mapping[str, Any]) -> None:
    at_top = change["at"] == ""
    nodes = list(_at(schema, change["at"]))
    for node in nodes:
        _values(node, change)
        _keys(node, {} if at_top else change.get("new", {}), change.get("gone", {}))
    _keywords(nodes, change)
    if at_top:
        schema["allOf"].append({"properties": copy.deepcopy(change.get("new", {}))})


def _values(node: _Node, change: Mapping[str, Any]) -> None:
    if isinstance(node.get("enum"), list):
        removals = change.get("values_gone", ())
        node["enum"] = [*(value for value in node["enum"] if value not in removals), *change.get("values_new", ())]


def _keys(node: _Node, additions: Mapping[str, _Node], removals: Mapping[str, _Node]) -> None:
    if "properties" in node:
        node["properties"].update(copy.deepcopy(dict(additions)))
        for name in removals:
            node["properties"].pop(name, None)


def _keywords(nodes: list[_Node], change: Mapping[str, Any]) -> None:
    old_words, new_words, whole = change.get("was", {}), change.get("is", {}), "whole" in change
    # The first is what the path leads to, the others are its alternatives.
    targets = nodes[:1] if whole or not old_words else [node for node in nodes if old_words.keys() <= node.keys()][:1]
    for node in targets:
        for keyword in list(node) if whole else old_words:
            del node[keyword]
        node.update(copy.deepcopy(new_words))


def _at(schema: _Node, path: str) -> Iterator[_Node]:
    """Yields the parts of a schema that say something of a value of user-data."""
    nodes = [schema]
    for step in re.findall(r"\[\]|[^.\[\]]+", path):
        nodes = [inner for node in nodes for part in _alternatives(schema, node) for inner in _inner(part, step)]
    for node in nodes:
        yield from _alternatives(schema, node)


def _inner(node: _Node, step: str) -> Iterator[_Node]:
    if step == "[]":
        if isinstance(node.get("items"), dict):
            yield node["items"]
    elif step == "*":
        yield from node.get("patternProperties", {}).values()
    elif step in node.get("properties", {}):
        yield node["properties"][step]


def _alternatives(schema: _Node, node: _Node) -> Iterator[_Node]:
    """Yields a part of a schema, or what it refers to, and the parts that this joins or chooses among."""
    if "$ref" in node:  # Draft 4 looks at nothing beside it.
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    yield node
    for keyword in ("allOf", "oneOf", "anyOf"):
        for part in node.get(keyword, ()):
            yield from _alternatives(schema, part)
