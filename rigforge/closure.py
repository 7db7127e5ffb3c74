"""Import closures: which files of this package a module of it loads, itself among them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

#: The folder of the package.
PACKAGE = Path(__file__).parent


def files(*modules: str) -> tuple[Path, ...]:
    """Returns the source files that the named modules load, sorted: their own, and of all that they import.

    A module's folders count with their `__init__.py`; what is imported for annotations alone does not.

    Raises FileNotFoundError for a name that is no module of this package.
    """
    found: set[Path] = set()
    pending = [*modules]
    while pending:
        name = pending.pop()
        for file in _chain(name):
            if file not in found:
                found.add(file)
                pending += _imported(file)
    return tuple(sorted(found))


def _chain(name: str) -> list[Path]:
    """Returns the file of a module, after the `__init__.py` of each folder that it is in."""
    parts = name.split(".")[1:]
    inits = [PACKAGE.joinpath(*parts[:depth], "__init__.py") for depth in range(len(parts) + 1)]
    file = PACKAGE.joinpath(*parts).with_suffix(".py") if parts else inits[0]
    if not file.is_file() and not inits[-1].is_file():
        raise FileNotFoundError(f"there is no module {name}")
    return [*inits[:-1], file if file.is_file() else inits[-1]]


@cache
def _imported(file: Path) -> tuple[str, ...]:
    """Returns the modules of this package that a file imports."""
    return tuple(name for statement in _statements(ast.parse(file.read_bytes())) for name in _names(statement))


def _statements(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from _statements(child)


def _names(statement: ast.Import | ast.ImportFrom) -> Iterator[str]:
    ours = PACKAGE.name
    if isinstance(statement, ast.Import):
        yield from (alias.name for alias in statement.names if alias.name.split(".")[0] == ours)
    elif statement.module and statement.module.split(".")[0] == ours:
        yield statement.module
        for alias in statement.names:
            place = PACKAGE.joinpath(*statement.module.split(".")[1:], alias.name)
            if place.with_suffix(".py").is_file() or place.joinpath("__init__.py").is_file():
                yield f"{statement.module}.{alias.name}"
