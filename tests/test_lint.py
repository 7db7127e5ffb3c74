"""Every file passes the linter of its language. A linter that is missing fails: nothing is skipped unseen."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest

from rigforge.paths import PROJECT

PYTHON = (PROJECT / "rigforge", PROJECT / "tasks.py")

# In pieces, so that this file itself names no registry.
REGISTRY_HOSTS = [
    ".".join(parts)
    for parts in (
        ("deb", "debian", "org"),
        ("ftp", "debian", "org"),
        ("security", "debian", "org"),
        ("snapshot", "debian", "org"),
        ("archive", "ubuntu", "com"),
        ("security", "ubuntu", "com"),
        ("releases", "ubuntu", "com"),
        ("pypi", "org"),
        ("python" + "hosted", "org"),
        ("registry", "npmjs", "org"),
        ("conda", "anaconda", "org"),
        ("repo", "anaconda", "com"),
        ("download", "pytorch", "org"),
        ("developer", "download", "nvidia", "com"),
        ("registry-1", "docker", "io"),
        ("nvcr", "io"),
    )
]


#: The one file with public places, and the hosts that it may name: never those of Debian's archive and of PyPI.
PLACES = Path("rigforge/sources/public_places.toml")
PUBLIC = [
    ".".join(parts)
    for parts in (
        ("archive", "ubuntu", "com"),
        ("releases", "ubuntu", "com"),
        ("conda", "anaconda", "org"),
        ("developer", "download", "nvidia", "com"),
    )
]


def program(name: str) -> str:
    """The linter `name`, from the environment that the tests run in or from the system."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found, f"{name} is not installed; `./bootstrap lint` installs it"
    return found


def passes(*command: str | Path) -> None:
    result = subprocess.run([str(word) for word in command], cwd=PROJECT, capture_output=True, text=True)
    assert result.returncode == 0, f"{command[0]}:\n{result.stdout}{result.stderr}"


def ours() -> list[Path]:
    """Every file that is tracked, or would be with `git add`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = {PROJECT / name for name in listed.stdout.split("\0") if name}
    return sorted(path for path in paths if path.is_file())


def is_shell(path: Path) -> bool:
    first = path.read_bytes()[:64].split(b"\n")[0]
    return path.suffix == ".sh" or (first.startswith(b"#!") and first.endswith((b"/sh", b"/bash", b"env bash")))


def named(condition: Callable[[Path], bool]) -> list[pytest.param]:
    """One case for each of our files that meets the condition, with its path as the name."""
    return [pytest.param(path, id=str(path.relative_to(PROJECT))) for path in ours() if condition(path)]


def test_python_keeps_the_style() -> None:
    passes(program("ruff"), "check", "--quiet", PROJECT)


def test_python_is_formatted() -> None:
    passes(program("ruff"), "format", "--check", "--quiet", PROJECT)


def test_python_is_typed() -> None:
    passes(program("mypy"), "--strict", *PYTHON)


def test_helpers_of_tests_are_imported_by_their_whole_name() -> None:
    """`from tests.doctor.machines import Start`: two rooms may have a file of one name."""
    modules = {path.stem for path in (PROJECT / "tests").rglob("*.py")}
    files = [path for folder in ("tests", "bench") for path in sorted((PROJECT / folder).rglob("*.py"))]
    statements = [(path, line.split()) for path in files for line in path.read_text().splitlines()]
    short = [(path, words[1]) for path, words in statements if words[:1] in (["from"], ["import"]) and words[1:]]
    wrong = [f"{path.relative_to(PROJECT)}: {module}" for path, module in short if module in modules]
    assert not wrong, "\n".join(wrong)


def test_shell_scripts_are_found_by_their_first_line() -> None:
    assert {PROJECT / "bootstrap", PROJECT / ".ci/run"} <= set(filter(is_shell, ours()))


@pytest.mark.parametrize("script", named(is_shell))
def test_shell_script_is_sound(script: Path) -> None:
    passes(program("shellcheck"), script)


@pytest.mark.parametrize("dockerfile", named(lambda path: path.name.endswith("Dockerfile")))
def test_dockerfile_is_sound(dockerfile: Path) -> None:
    passes(program("hadolint"), dockerfile)


@pytest.mark.parametrize("template", named(lambda path: path.name.endswith(".pkr.hcl")))
def test_packer_template_is_formatted(template: Path) -> None:
    """Whether it is valid, tests/verify/test_packer.py asks Packer with the variables filled in."""
    passes(program("packer"), "fmt", "-check", template)


def test_no_file_names_the_host_of_a_registry() -> None:
    texts = {path.relative_to(PROJECT): path.read_bytes().lower() for path in ours() if path.suffix != ".png"}
    assert len(texts) > 100
    assert PLACES in texts
    wrong = [
        f"{path}: {host}"
        for path, text in texts.items()
        for host in REGISTRY_HOSTS
        if host.encode() in text and not (path == PLACES and host in PUBLIC)
    ]
    assert not wrong, "\n".join(wrong)


def test_requirements_hold_what_the_project_asks_for() -> None:
    """`invoke requirements` was run after the last change of pyproject.toml's dependencies."""
    import tomllib

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name
    from packaging.version import Version

    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    asked = map(Requirement, [*project["dependencies"], *chain(*project["optional-dependencies"].values())])
    lines = (PROJECT / "requirements.txt").read_text().splitlines()
    pinned = dict(
        line.split(";")[0].rstrip(" \\").split("==") for line in lines if "==" in line and line[0] not in " #"
    )
    for requirement in asked:
        version = pinned.get(canonicalize_name(requirement.name))
        assert version and Version(version) in requirement.specifier, f"{requirement} is not in requirements.txt"
