"""What those need who change Rigforge: tests, linters, pinned requirements, a clean start."""

from __future__ import annotations

from invoke.context import Context

from rigforge.cli import task
from rigforge.paths import CHECKOUT, PROJECT, home


@task(
    help={
        "full": "build, install and test everything, the whole debian-12 stack as well (hours without KVM)",
        "part": "run one part of what --full runs, by its name in evidence/parts.toml, and keep a record of the run",
    }
)
def test(context: Context, full: bool = False, part: str = "") -> None:
    """
    Run the unit tests and linters, then build, install and test the small stack and its container image.

    With --part only that part is run, and its record is left in evidence/records.

    Example: invoke test --full
    """
    if part:
        _part(part)
        return
    # A worker that is done takes over what another one has left: a few tests take minutes.
    _pytest("-n", "auto", "--dist", "worksteal", "-m", "not build and not boot and not docker and not full", "tests")
    # Uncaptured, because minutes pass between two results.
    slow = "build or boot or docker"
    _pytest("-s", "-v", "-m", f"{slow} or full" if full else f"({slow}) and not full", "tests")


@task()
def evidence(context: Context) -> None:
    """
    Write README's table of what was run for real, from the records of the tests' parts.

    Example: invoke evidence
    """
    from rigforge import atomic
    from rigforge.evidence import table

    readme = PROJECT / "README.md"
    atomic.write(readme, table.put(readme.read_text(encoding="utf-8"), table.table()))
    print("evidence: README.md")


@task()
def lint(context: Context) -> None:
    """
    Run the linters of every language here.

    Example: invoke lint
    """
    _pytest("tests/test_lint.py")


@task(help={"upgrade": "take the newest versions that pyproject.toml allows"})
def requirements(context: Context, upgrade: bool = False) -> None:
    """
    Pin what pyproject.toml asks for, with hashes, in requirements.txt.

    Example: invoke requirements --upgrade
    """
    from rigforge.requirements import pin

    pin(upgrade=upgrade)
    print("requirements: requirements.txt")


@task(help={"all": "remove the state directory too: downloads, layers, reports of bugs"})
def clean(context: Context, all: bool = False) -> None:
    """
    Remove what was built; with --all also what was downloaded.

    Example: invoke clean --all
    """
    from rigforge import console
    from rigforge.build_lock import exclusive
    from rigforge.namespace import remove_tree

    with exclusive():
        if CHECKOUT:
            remove_tree(PROJECT / "out")
        else:
            console.say(f"{PROJECT / 'out'} stays: outside a checkout it may be another program's too")
        if all:
            remove_tree(home())


def _part(name: str) -> None:
    """Runs one part of the slow tests and prints where its record is."""
    import os

    from rigforge.evidence import parts, record
    from rigforge.evidence.run import run

    os.chdir(PROJECT)
    result = run(parts.named(name, parts.read()))
    print(f"record: {record.write(result)}")
    if result.failed or not result.passed:
        raise SystemExit(1)


def _pytest(*arguments: str) -> None:
    """Runs tests in this process; what they print is the result."""
    import os

    import pytest

    os.chdir(PROJECT)
    code = pytest.main(list(arguments))
    if code:
        raise SystemExit(130 if code == pytest.ExitCode.INTERRUPTED else 1)
