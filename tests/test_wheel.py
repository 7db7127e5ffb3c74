"""The wheel: installed by pip in an empty environment, it works in any folder, without a checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rigforge.cli import OF_CHECKOUTS
from rigforge.lock import model
from rigforge.paths import PROJECT

pytestmark = pytest.mark.network

#: Bytes of the wheel, and seconds of `rigforge --help`, at most.
LARGEST, SLOWEST = 5e6, 0.3

#: Folders at the top of the checkout that the program reads.
SHARED = ("cloud-init", "dockerfiles", "image_tests", "packer", "stacks")


@dataclass(frozen=True)
class Installed:
    """A wheel in an environment of its own."""

    wheel: Path
    environment: Path
    folder: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs the command in the folder of a user who has nothing else."""
        return self._run("rigforge", *arguments)

    def python(self, program: str) -> str:
        """Returns what a program prints."""
        done = self._run("python", "-P", "-c", program)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.environment / "bin" / name, *arguments],
            cwd=self.folder,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.environment.parent / "home")},
            capture_output=True,
            text=True,
        )

    @property
    def share(self) -> Path:
        (packages,) = self.environment.glob("lib/python3*/site-packages")
        return packages / "rigforge/share"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    place = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", place, PROJECT], check=True)
    (wheel,) = place.glob("rigforge-*.whl")
    venv.create(place / "environment")
    python = place / "environment/bin/python"
    subprocess.run([*pip, "--python", python, "install", "--only-binary", ":all:", wheel], check=True)
    (place / "folder").mkdir()
    return Installed(wheel, place / "environment", place / "folder")


@pytest.fixture
def stack(installed: Installed) -> Iterator[Path]:
    """A first stack, where the command is run."""
    done = installed.run("init", "--stack", "debian-12", "--gpu", "4090", "--out", "mine.toml")
    assert (done.returncode, done.stdout) == (0, "stack: mine.toml\n"), done.stderr
    yield installed.folder / "mine.toml"
    (installed.folder / "mine.toml").unlink()


def test_the_wheel_is_small_and_has_all_that_git_has_of_what_the_program_reads(installed: Installed) -> None:
    assert installed.wheel.stat().st_size < LARGEST
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "rigforge", "tasks.py", *SHARED],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    files = {name for name in listed.split("\0") if name and (PROJECT / name).is_file()}
    names = [name for name in zipfile.ZipFile(installed.wheel).namelist() if ".dist-info/" not in name]
    assert sorted(names) == sorted(name if name.startswith("rigforge/") else f"rigforge/share/{name}" for name in files)


def test_files_of_images_have_the_mode_and_the_bytes_that_the_checkout_has(installed: Installed) -> None:
    for folder in SHARED:
        for file in (PROJECT / folder).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                copy = installed.share / file.relative_to(PROJECT)
                assert copy.read_bytes() == file.read_bytes(), file
                assert copy.stat().st_mode & 0o111 == file.stat().st_mode & 0o111, file


def test_help_is_quick(installed: Installed) -> None:
    """In seconds of the processor, and the quickest of several: other tests run meanwhile."""

    def seconds() -> float:
        before = os.times()
        assert installed.run("--help").returncode == 0
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    installed.run("--help")
    assert min(seconds() for _ in range(5)) < SLOWEST


def test_the_tasks_are_those_of_the_checkout_but_for_its_own_tests(installed: Installed) -> None:
    tasks = {name for name in tomllib.loads((PROJECT / "packages.toml").read_text())["tasks"] if " " not in name}
    listed = installed.run("--list").stdout.splitlines()
    assert {line.split()[0] for line in listed if line[:3].strip() and line[:2] == "  "} == tasks - set(OF_CHECKOUTS)


def test_examples_and_errors_name_the_command_that_there_is(installed: Installed) -> None:
    assert "Example: rigforge build-iso" in installed.run("build-iso", "--help").stdout
    missing = installed.run("verify-iso", "--stack", "smoke", "--iso", "none.iso")
    assert missing.returncode == 1
    assert missing.stderr.endswith("hint: make one with: rigforge build-iso\n")


def test_a_misspelt_task_is_answered_with_the_one_that_was_meant(installed: Installed) -> None:
    done = installed.run("biuld-iso")
    assert (done.returncode, done.stdout) == (2, "")
    assert 'there is no task "biuld-iso", did you mean "build-iso"?' in done.stderr


def test_its_stacks_and_locks_are_read(installed: Installed) -> None:
    names = {path.stem for path in (PROJECT / "stacks").glob("*.toml")} - {"preference"}
    assert {line.split()[0] for line in installed.run("stacks").stdout.splitlines()} == names
    assert "nothing of stack smoke is built yet" in installed.run("report", "--stack", "smoke").stderr


def test_results_go_into_the_current_folder(installed: Installed) -> None:
    place = installed.python("from rigforge import paths; print(paths.PROJECT / 'out')")
    assert place == f"{installed.folder}/out\n"


def test_templates_are_filled_in(installed: Installed) -> None:
    key = "ssh_key=ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDE2MzE2MzE2MzE2MzE2MzE2MzE2MzE2MzE2MzE2MzE2 ada"
    done = installed.run("seed", "--netboot", "--host", "gpu1", "--out", "seeds", "--stack", "smoke", "--set", key)
    assert done.stdout == "seed: seeds/gpu1\n", done.stderr
    assert "AAAAC3NzaC1lZDI1NTE5" in (installed.folder / "seeds/gpu1/user-data").read_text()


def test_a_stack_of_ones_own_is_found_by_its_name(installed: Installed, stack: Path) -> None:
    assert tomllib.loads(stack.read_text())["gpu"]["models"] == ["GeForce RTX 4090"]
    done = installed.run("explain", "--stack", "mine")
    assert done.returncode == 0 and "GeForce RTX 4090" in done.stdout, done.stderr
    again = installed.run("init", "--out", "mine.toml")
    assert again.returncode == 1 and "is there already" in again.stderr
    unlocked = installed.run("vendor", "--check", "--stack", "mine", "folder")
    assert f"{stack.with_suffix('.lock')}: there is no lock yet" in unlocked.stderr


def test_a_lock_of_the_users_own_comes_before_the_wheels(installed: Installed) -> None:
    """Nothing is written where pip has put its files."""
    of_wheel = installed.share / "stacks/smoke.lock"
    own = installed.environment.parent / "home/.local/share/rigforge/stacks/smoke.lock"

    def paths() -> list[str]:
        return installed.python(
            "from rigforge.stack.load import load; print(load('smoke').lock_path, load('smoke').new_lock_path)"
        ).split()

    assert paths() == [str(of_wheel), str(own)]
    model.write(model.read(of_wheel), own)
    assert paths() == [str(own), str(own)]
    own.unlink()


def test_an_extra_that_is_missing_is_named(installed: Installed) -> None:
    done = installed.run("build-doctor")
    assert done.returncode == 1
    assert "error: this Python has no PyInstaller\n" in done.stderr and "install 'FILE.whl[doctor]'" in done.stderr


def test_clean_leaves_a_folder_that_may_be_anothers(installed: Installed) -> None:
    (installed.folder / "out").mkdir(exist_ok=True)
    (installed.folder / "out/thesis.tex").touch()
    assert installed.run("clean", "--all").returncode == 0
    assert (installed.folder / "out/thesis.tex").exists()
