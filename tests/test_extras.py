"""Packages that one task alone needs."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distribution

import pytest
from packaging.requirements import Requirement

from rigforge.extras import MODULES
from rigforge.paths import PACKAGE, PROJECT

ASKED = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


@pytest.mark.parametrize("extra", MODULES)
def test_an_extra_brings_the_modules_that_are_looked_for(extra: str) -> None:
    names = [Requirement(text).name for text in ASKED[extra]]
    folders = {name: {file.parts[0] for file in distribution(name).files or ()} for name in names}
    assert [name for name in names if not folders[name] & set(MODULES[extra])] == []
    assert set(MODULES[extra]) <= set.union(*folders.values())


def test_the_programs_of_the_verification_are_in_its_extra() -> None:
    sources = "".join(path.read_text() for path in (PACKAGE / "verify").glob("*.py"))
    programs = set(re.findall(r'"-m", "([a-z]\w*)', sources))
    assert programs >= {"pytest", "virt"} and programs <= set(MODULES["verify"])
