"""The user's own Python environment, on top of the machine's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rigforge.paths import PROJECT

PACKAGE = """\
[project]
name = "own"
version = "{version}"
[tool.setuptools]
py-modules = ["own"]
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The program, with this test's environment for the machine's."""
    profile = tmp_path / "profile.sh"
    profile.write_text(f'export VIRTUAL_ENV={sys.prefix}\nexport PATH="$VIRTUAL_ENV/bin:$PATH"\n')
    copy = tmp_path / "rigforge-python"
    text = (PROJECT / "rigforge/machine/rigforge-python").read_text()
    copy.write_text(text.replace("/etc/profile.d/rigforge.sh", str(profile)))
    copy.chmod(0o755)
    return copy


def run(program: Path, *arguments: str | Path) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(program.parent / "home"), "PIP_NO_INPUT": "1"}
    return subprocess.check_output([program, *arguments], env=environment, text=True, cwd="/", stderr=subprocess.PIPE)


def test_it_sees_the_machines_packages_after_its_own(program: Path) -> None:
    where, own = run(program, "-c", "import pytest, sys; print(pytest.__file__); print(sys.prefix)").splitlines()
    assert where.startswith(f"{sys.prefix}/")
    assert own == f"{program.parent}/home/.local/share/rigforge/python3.{sys.version_info[1]}"
    paths = run(program, "-c", "import sys; print(*sys.path)").split()
    found = [path for path in paths if path.endswith("site-packages")]
    assert [path.startswith(own) for path in found] == [True, False]


def test_pip_installs_upgrades_and_removes_there_and_leaves_the_machines_alone(program: Path, tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "own.py").touch()
    for version in ("1", "2"):
        (package / "pyproject.toml").write_text(PACKAGE.format(version=version))
        run(program, "-m", "pip", "install", "--no-build-isolation", "--no-deps", package)
        shown = run(program, "-c", "from importlib.metadata import version; print(version('own'))")
        assert shown.strip() == version
    assert subprocess.run([sys.executable, "-c", "import own"], cwd="/", capture_output=True).returncode == 1
    run(program, "-m", "pip", "uninstall", "--yes", "own")
    assert '"own"' not in run(program, "-m", "pip", "list", "--format", "json")


def test_pip_of_an_activated_shell_is_its_own(program: Path) -> None:
    own = run(program, "-c", "import sys; print(sys.prefix)").strip()
    shell = f'. "{own}/bin/activate" && command -v pip && pip --version'
    place, version = subprocess.check_output(["bash", "-c", shell], text=True).splitlines()
    assert place == f"{own}/bin/pip"
    assert version.startswith("pip ")
