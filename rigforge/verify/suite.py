"""The suite of image tests: the command that runs it against a machine or a container, and what it wrote."""

from __future__ import annotations

import re
import sys
import textwrap
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from rigforge.errors import RigforgeError
from rigforge.foreign import boundary
from rigforge.paths import SHARE

FOLDER = SHARE / "image_tests"

_LONGEST = 200


@dataclass(frozen=True)
class SuiteResults:
    """What pytest wrote into its JUnit file; `failures` are names of tests with the first line of what went wrong."""

    passed: int
    failures: tuple[str, ...]
    skipped: int
    seconds: float


def command(host: str, expectations: Path, results: Path) -> list[str]:
    """Returns the program and its arguments; `host` is testinfra's name for what is tested, `results` a JUnit file."""
    pytest = [sys.executable, "-P", "-m", "pytest", str(FOLDER), "-o", "addopts=", "-p", "no:cacheprovider", "-v"]
    return [*pytest, f"--hosts={host}", f"--expectations={expectations}", f"--junit-xml={results}"]


def read_junit(path: Path) -> SuiteResults:
    """Reads the JUnit file of one pytest run. Raises RigforgeError where the tests did not get that far."""
    try:
        suite = ElementTree.parse(path).getroot().find("testsuite")
    except (OSError, ElementTree.ParseError) as error:
        raise RigforgeError(f"the image tests left no results in {path}: {error}") from error
    if suite is None or suite.get("tests", "0") == "0":
        raise RigforgeError(f"no image test was run, according to {path}")
    with boundary(f"{path} is not as pytest writes it"):
        failures = tuple(_failures(suite))
        skipped = int(suite.get("skipped", "0"))
        passed = int(suite.get("tests", "0")) - len(failures) - skipped
        return SuiteResults(passed, failures, skipped, float(suite.get("time", "0")))


def _failures(suite: ElementTree.Element) -> list[str]:
    failures = []
    for case in suite.iter("testcase"):
        problems = [child for child in case if child.tag in ("failure", "error")]
        if problems:
            first = (problems[0].get("message") or "").strip().split("\n")[0]
            # testinfra adds the host to each name.
            name = re.sub(r"\[\w+://[^]]*\]", "", case.get("name", ""))
            failures.append(f"{case.get('classname')}::{name}: {textwrap.shorten(first, _LONGEST)}")
    return failures
