"""Which files of the package a module loads."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from rigforge import closure

ASK = """
import json, sys
from importlib import import_module
import_module(sys.argv[1])
print(json.dumps([m.__file__ for name, m in sys.modules.items() if name.partition(".")[0] == "rigforge"]))
"""


def names(files: Iterable[Path]) -> list[str]:
    return [str(file.relative_to(closure.PACKAGE)) for file in files]


@pytest.mark.parametrize(
    "module",
    ["rigforge.installer.install", "rigforge.machine.cdi", "rigforge.layers.recipes.devel", "rigforge.process"],
)
def test_it_holds_all_that_python_itself_loads(module: str) -> None:
    done = subprocess.run([sys.executable, "-c", ASK, module], check=True, stdout=subprocess.PIPE, text=True)
    loaded = {Path(file) for file in json.loads(done.stdout)}
    assert loaded <= {*closure.with_folders(closure.files(module))}


def test_a_module_that_is_imported_as_a_name_counts() -> None:
    assert names(closure.files("rigforge.layers.own_files"))[:3] == ["closure.py", "errors.py", "guest.py"]


def test_a_folder_counts_where_something_of_its_own_is_used() -> None:
    assert "distributions/__init__.py" in names(closure.files("rigforge.layers.plan"))
    assert "layers/__init__.py" not in names(closure.files("rigforge.layers.plan"))
    assert "layers/__init__.py" in names(closure.with_folders(closure.files("rigforge.layers.plan")))


def test_what_is_imported_for_annotations_alone_does_not_count() -> None:
    text = (closure.PACKAGE / "distributions/__init__.py").read_text()
    assert "    from rigforge.stack.model import Stack\n" in text
    assert "stack/model.py" not in names(closure.files("rigforge.distributions"))


def test_a_name_that_is_no_module_is_refused() -> None:
    with pytest.raises(FileNotFoundError, match=r"rigforge\.nothing"):
        closure.files("rigforge.nothing")
