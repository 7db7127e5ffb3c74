"""Import closures: which files of this package a module of it loads, itself among them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

#: The folder of the package.
PACKAGE = Path(__file__).parent


def files(*modules: str) -> tuple[Path, ...]:
    """Returns the source files that the named modules load, sorted: their own, and of all that they import.

    What is imported for annotations alone does not count, nor does a folder's `__init__.py` of which nothing is used.

    Raises FileNotFoundError for a name that is no module of this package.
    """
    closure: set[Path] = set()
    pending = [_file(module) for module in modules]
    while pending:
        file = pending.pop()
        if file not in closure:
            closure.add(file)
            pending += map(_file, _imported(file))
    return tuple(sorted(closure))


def with_folders(sources: Iterable[Path]) -> tuple[Path, ...]:
    """Returns source files, sorted, with the `__init__.py` of each folder of the package that they are in."""
    with_packages = set(sources)
    for file in sources:
        with_packages |= {folder / "__init__.py" for folder in file.parents if folder.is_relative_to(PACKAGE)}
    return tuple(sorted(with_packages))


def _file(module: str) -> Path:
    if not _is_module(module):
        raise FileNotFoundError(f"there is no module {module}")
    place = PACKAGE.joinpath(*module.split(".")[1:])
    return place.with_suffix(".py") if place.with_suffix(".py").is_file() else place / "__init__.py"


@cache
def _imported(file: Path) -> tuple[str, ...]:
    """Returns the modules of this package that a file imports."""
    return tuple(name for statement in _statements(ast.parse(file.read_bytes())) for name in _names(statement))


def _statements(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        # No expression holds a statement, and each build that has nothing to do waits for this.
        elif isinstance(child, ast.stmt | ast.excepthandler | ast.match_case) and not _is_for_annotations(child):
            yield from _statements(child)


def _is_for_annotations(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _names(statement: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(statement, ast.Import):
        yield from (alias.name for alias in statement.names if _is_ours(alias.name))
    elif statement.module and _is_ours(statement.module):
        below = {alias.name: f"{statement.module}.{alias.name}" for alias in statement.names}
        yield from (module for module in below.values() if _is_module(module))
        if not all(map(_is_module, below.values())):
            yield statement.module


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == PACKAGE.name


@cache
def _is_module(name: str) -> bool:
    place = PACKAGE.joinpath(*name.split(".")[1:])
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()
