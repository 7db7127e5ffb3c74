"""docs/architecture.md, as the code has it: the map, the order of the rooms, and each of the invariants."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from rigforge import closure
from rigforge.artifacts import ARTIFACTS
from rigforge.paths import PROJECT

PACKAGE = closure.PACKAGE
DOCUMENT = (PROJECT / "docs/architecture.md").read_text(encoding="utf-8")

#: Imports that go up the map, by module and room, with the reason. There are none.
UPWARDS: dict[tuple[str, str], str] = {}


def section(title: str) -> str:
    """The text below a heading of the document, up to the next one."""
    return re.split(r"^## ", DOCUMENT.split(f"\n## {title}\n")[1], flags=re.MULTILINE)[0]


def the_map() -> list[str]:
    """The rooms in the order of the document, top first."""
    return re.findall(r"^\| `([a-z_]+)(?:/|\.py)` \|", section("The map"), re.MULTILINE)


def rooms() -> set[str]:
    """The folders of the package, and the modules beside them."""
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    return folders | {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}


def room(name: str) -> str:
    """The room of a module of the package: `lock` of `rigforge.lock.model`."""
    return name.split(".")[1]


@cache
def imports() -> dict[str, set[str]]:
    """The modules that each module imports, for annotations too, or names for a process of its own to import."""
    files = {".".join(("rigforge", *path.relative_to(PACKAGE).with_suffix("").parts)): path for path in sources()}
    modules = {name.removesuffix(".__init__"): path for name, path in files.items()}
    return {
        name: {found for node in ast.walk(parsed(path)) for found in imported(node) if found in modules} - {"rigforge"}
        for name, path in modules.items()
        if name != "rigforge"
    }


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())


def imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[\w.]+:\w+", node.value):
        yield node.value.partition(":")[0]  # "rigforge.layers.in_namespace:build", for `namespace.call`


def neighbours() -> dict[str, set[str]]:
    """The other rooms that each room imports."""
    found: dict[str, set[str]] = {name: set() for name in rooms()}
    for module, others in imports().items():
        found[room(module)] |= {room(other) for other in others} - {room(module)}
    return found


def loaded(*modules: str) -> set[str]:
    """The rooms of which modules load files when they are run."""
    files = (path.relative_to(PACKAGE) for path in closure.files(*modules))
    return {path.parts[0].removesuffix(".py") for path in files} - {"__init__"}


def all_of(folder: str) -> list[str]:
    return [name for name in imports() if room(name) == folder]


def foreign(folder: str) -> set[str]:
    """What the modules of a folder import that neither Python nor Rigforge brings."""
    names = {
        name.split(".")[0]
        for path in (PACKAGE / folder).rglob("*.py")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in imported(node)
    }
    return names - {"rigforge"} - sys.stdlib_module_names


def test_the_map_has_every_room_once() -> None:
    assert sorted(the_map()) == sorted(rooms())


def test_no_rooms_import_each_other() -> None:
    try:
        order = [*TopologicalSorter(neighbours()).static_order()]
    except CycleError as error:
        raise AssertionError(f"rooms import each other: {' ← '.join(error.args[1])}") from None
    assert set(order) == rooms()


def test_no_import_goes_up_the_map() -> None:
    place = {name: number for number, name in enumerate(the_map())}
    upwards = {
        (module, room(other))
        for module, others in imports().items()
        for other in others
        if place[room(other)] < place[room(module)]
    }
    assert sorted(upwards) == sorted(UPWARDS)


def test_records_import_errors_alone() -> None:
    assert neighbours()["records"] == {"errors"}
    assert foreign("records") == set()


def test_sources_know_no_layers() -> None:
    named = {"LAYERS", "NOT_SHIPPED", "layer"}
    for path in (PACKAGE / "sources").glob("*.py"):
        for node in ast.walk(parsed(path)):
            names = {getattr(node, key, None) for key in ("id", "arg", "attr", "name")}
            assert not names & named, f"{path.name}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) != "LockedFile", f"{path.name}:{node.lineno}"


def test_only_vendoring_reads_locks_in_the_store() -> None:
    readers = {name for name in all_of("store") if any(room(other) == "lock" for other in imports()[name])}
    assert readers == {"rigforge.store.vendor"}


def test_installer_and_machine_import_nothing_of_the_builder() -> None:
    assert loaded(*all_of("machine")) == {"machine", "rules", "atomic"}
    assert foreign("machine") == set()
    assert loaded(*all_of("installer")) == {"installer", "rules", "guest"}
    assert foreign("installer") == {"yaml"}
    assert neighbours()["machine"] == {"rules", "atomic"}
    assert neighbours()["installer"] == {"rules", "guest"}
    assert loaded(*all_of("rules")) == {"rules"}


def test_the_doctor_imports_nothing_of_the_builder() -> None:
    program = {"doctor", "compat", "machine", "rules", "nearest", "atomic", "errors", "plain"}
    assert loaded("rigforge.doctor.__main__") == program
    # Packing the program runs PyInstaller, on the builder.
    assert loaded(*all_of("doctor")) == {*program, "process", "closure"}


def test_connecting_needs_python_and_openssh_alone() -> None:
    assert loaded(*all_of("connect")) == {"connect", "errors", "plain"}
    assert foreign("connect") == set()


def test_tasks_import_the_package_when_they_run() -> None:
    at_once = {"cli", "errors", "paths", "tasks"}
    for path in (PACKAGE / "tasks").glob("*.py"):
        first = [name for node in parsed(path).body for name in imported(node) if name.startswith("rigforge.")]
        assert {room(name) for name in first} <= at_once, path.name


def test_what_runs_in_a_namespace_is_a_function_of_its_module() -> None:
    named = {
        node.value
        for path in sources()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"rigforge[\w.]+:\w+", node.value)
    }
    assert named
    for entry in named:
        module, _, function = entry.partition(":")
        assert callable(getattr(importlib.import_module(module), function)), entry


def test_artifacts_are_told_apart_by_their_list_alone() -> None:
    names = {name for artifact in ARTIFACTS for name in (artifact.suffix, artifact.task) if name}
    elsewhere = {
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in sources()
        if path.relative_to(PACKAGE).parts[0] not in ("artifacts", "tasks")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Constant) and node.value in names
    }
    assert elsewhere == set()


def test_every_invariant_names_a_test_that_there_is() -> None:
    named = re.findall(r"^- .*?\(`(test_\w+)`\)$", section("Invariants"), re.MULTILINE)
    assert len(named) == len(re.findall(r"^- ", section("Invariants"), re.MULTILINE))
    assert set(named) <= globals().keys()


def test_every_file_that_the_document_names_is_there() -> None:
    names = re.findall(r"`([\w./-]+/[\w./-]*|[\w-]+\.(?:py|toml|md|j2|tf))`", DOCUMENT)
    below = [PROJECT, PACKAGE]
    assert [name for name in set(names) if not any((folder / name).exists() for folder in below)] == []
