"""`bootstrap` from an empty machine to a running task.

Each test has a checkout of its own and a PATH that holds only what the test put there: `apt-get`,
`sudo`, `id` and the system tools are stand-ins that write down how they were called.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

import tasks
from rigforge.paths import PROJECT
from tests.command import rigforge

PACKAGES = tomllib.loads((PROJECT / "packages.toml").read_text())

BASICS = ("sh", "cat", "chmod", "cksum", "dirname", "env", "flock", "mkdir", "readlink", "rm", "sed", "touch", "cp")

PYTHON = """\
#!/bin/sh
case "$*" in
*version_info*) exit 0 ;;
*ensurepip*) [ -e "{bin}/no-ensurepip" ] && exit 1; exit 0 ;;
"-m venv"*)
    echo venv >>"{log}"
    mkdir -p "$3/bin" "$3/lib/python3.11/site-packages"
    cp "{bin}/python3" "$3/bin/python"
    ;;
"-m pip"*) echo pip >>"{log}" ;;
"-P -m rigforge.cli"*) shift 3; echo "task: $*" ;;
*/overview.py*) shift 2; echo "overview: $*" ;;
esac
"""

APT_GET = """\
#!/bin/sh
echo "apt-get $*" >>"{log}"
[ "$1" = install ] || exit 0
while [ $# -gt 0 ]; do
    case $1 in
    install | -*) ;;
    python3-venv) rm "{bin}/no-ensurepip" ;;
    *) {install} ;;
    esac
    shift
done
"""


@dataclass(frozen=True)
class Machine:
    """A checkout, and all the programs there are."""

    checkout: Path
    bin: Path
    log: Path

    def program(self, name: str, text: str = "#!/bin/sh\n") -> None:
        path = self.bin / name
        path.write_text(text.replace("{bin}", str(self.bin)).replace("{log}", str(self.log)))
        path.chmod(0o755)

    def run(self, *arguments: str, ci: str = "") -> subprocess.CompletedProcess[str]:
        """Without a terminal."""
        return subprocess.run(
            [str(self.checkout / "bootstrap"), *arguments],
            env={"PATH": str(self.bin), "CI": ci},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            start_new_session=True,
        )

    def run_on_terminal(self, command: str, answer: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [shutil.which("script") or "script", "-qec", f"'{self.checkout}/bootstrap' {command}", "/dev/null"],
            env={"PATH": str(self.bin), "SHELL": "/bin/sh"},
            input=answer,
            capture_output=True,
            text=True,
        )

    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


def rows(task: str) -> dict[str, str]:
    """Package by what shows that it is there."""
    packages = subprocess.run(
        [str(PROJECT / "bootstrap"), "--packages", task], capture_output=True, text=True, check=True
    ).stdout.split()
    groups = [table for name, table in PACKAGES.items() if name != "tasks"]
    return {probe: package for table in groups for package, probe in table.items() if package in packages}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine that has everything; tests take away."""
    machine = Machine(tmp_path / "check out", tmp_path / "bin", tmp_path / "log")
    machine.checkout.mkdir()
    machine.bin.mkdir()
    for name in ("bootstrap", "packages.toml"):
        shutil.copy(PROJECT / name, machine.checkout)
    (machine.checkout / "requirements.txt").write_text("one==1\n")
    for name in BASICS:
        (machine.bin / name).symlink_to(shutil.which(name) or name)
    for probe in rows("test"):
        if not probe.startswith("/"):
            machine.program(probe)
    machine.program("id", "#!/bin/sh\necho 0\n")
    machine.program("python3", PYTHON)
    machine.program("apt-get", APT_GET.replace("{install}", ':>"{bin}/$1"; chmod +x "{bin}/$1"'))
    return machine


def test_the_task_runs_with_its_arguments_as_they_are(machine: Machine) -> None:
    done = machine.run("build-iso", "--set", "full_name=Ada  Lovelace")
    assert done.stdout == "task: build-iso --set full_name=Ada  Lovelace\n"
    assert done.returncode == 0


def test_without_a_task_the_tasks_are_listed(machine: Machine) -> None:
    machine.run("stacks")
    assert machine.run().stdout == "task: --list\n"


@pytest.mark.parametrize(
    "words",
    [[], ["--list"], ["-l"], ["--help"], ["lint", "--help"], ["-h", "test"], ["verify-iso", "--set", "a=b", "-h"]],
)
def test_who_asks_for_words_gets_words_and_nothing_is_installed_or_made(machine: Machine, words: list[str]) -> None:
    for name in ("shellcheck", "zstd", "packer"):
        (machine.bin / name).unlink()
    (machine.bin / "no-ensurepip").touch()
    done = machine.run("--yes", *words)
    assert done.stdout == f"overview: {' '.join(words or ['--list'])}\n"
    assert machine.calls() == [] and not (machine.checkout / ".venv").exists()
    machine.run("--yes", "stacks")
    calls = machine.calls()
    assert machine.run(*words).stdout == f"task: {' '.join(words or ['--list'])}\n"
    assert machine.calls() == calls


def test_help_for_another_program_is_none_of_ours(machine: Machine) -> None:
    assert machine.run("run", "--", "python", "--help").stdout == "task: run -- python --help\n"


def test_words_without_a_python_are_one_line(machine: Machine) -> None:
    (machine.bin / "python3").unlink()
    done = machine.run("--help")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1,
        "error: Rigforge needs Python 3.11 or newer; there is none",
    )


def test_a_second_run_makes_nothing_again(machine: Machine) -> None:
    machine.run("stacks")
    assert machine.calls() == ["venv", "pip"]
    start = time.monotonic()
    machine.run("build-iso")
    assert time.monotonic() - start < 1
    assert machine.calls() == ["venv", "pip"]


def test_changed_requirements_make_the_environment_anew(machine: Machine) -> None:
    machine.run("stacks")
    (machine.checkout / "requirements.txt").write_text("one==2\n")
    machine.run("stacks")
    assert machine.calls() == ["venv", "pip"] * 2


def test_a_half_made_environment_is_made_anew(machine: Machine) -> None:
    machine.program("python3", PYTHON.replace('"-m pip"*) echo pip', '"-m pip"*) exit 1; echo pip'))
    assert machine.run("stacks").returncode == 1
    machine.program("python3", PYTHON)
    assert machine.run("stacks").stdout == "task: stacks\n"


def test_a_moved_checkout_gets_an_environment_of_its_own(machine: Machine) -> None:
    machine.run("stacks")
    moved = Machine(machine.checkout.with_name("moved"), machine.bin, machine.log)
    shutil.copytree(machine.checkout, moved.checkout)
    assert moved.run("stacks").stdout == "task: stacks\n"
    assert machine.calls() == ["venv", "pip"] * 2


@pytest.mark.parametrize(("words", "ci"), [([], "true"), (["--yes"], ""), (["--yes"], "true")])
def test_root_installs_what_is_missing_without_a_question(machine: Machine, words: list[str], ci: str) -> None:
    """In continuous integration, where there is nobody, and with --yes."""
    (machine.bin / "xorriso").unlink()
    (machine.bin / "zstd").unlink()
    done = machine.run(*words, "build-iso", ci=ci)
    assert "apt-get install -q --yes --no-install-recommends xorriso zstd" in machine.calls()
    assert done.stdout == "task: build-iso\n"


def test_root_without_a_terminal_is_told_what_is_needed(machine: Machine) -> None:
    (machine.bin / "xorriso").unlink()
    (machine.bin / "zstd").unlink()
    done = machine.run("build-iso")
    assert done.returncode == 1 and machine.calls() == []
    assert done.stderr.splitlines() == [
        "error: not installed: xorriso zstd",
        "hint: to have them installed: ./bootstrap --yes build-iso",
        "hint: run as root: apt-get install --no-install-recommends xorriso zstd",
    ]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["build-iso", "--set", "storage.passphrase=PLANTED two"], "./bootstrap --yes build-iso …"),
        (["build-iso", "--set=machine.password_hash=PLANTED"], "./bootstrap --yes build-iso …"),
        (["--set=storage.passphrase=PLANTED", "build-iso"], "./bootstrap --yes --set …"),
    ],
)
def test_what_is_said_of_missing_packages_has_no_secret(machine: Machine, words: list[str], hint: str) -> None:
    (machine.bin / "zstd").unlink()
    done = machine.run(*words)
    assert done.returncode == 1 and "PLANTED" not in done.stderr + done.stdout
    assert f"hint: to have them installed: {hint}" in done.stderr.splitlines()


def test_root_is_asked_on_a_terminal(machine: Machine) -> None:
    (machine.bin / "zstd").unlink()
    refused = machine.run_on_terminal("build-iso", "n\n")
    assert "Install on this machine: zstd? [Y/n]" in refused.stdout
    assert refused.returncode == 1 and machine.calls() == []
    assert "task: build-iso" in machine.run_on_terminal("build-iso", "\n").stdout


def test_a_user_who_said_yes_is_not_asked(machine: Machine) -> None:
    (machine.bin / "zstd").unlink()
    machine.program("id", "#!/bin/sh\necho 1000\n")
    machine.program("sudo", '#!/bin/sh\necho sudo >>"{log}"\nexec "$@"\n')
    assert machine.run("--yes", "build-iso").stdout == "task: build-iso\n"
    assert machine.calls()[0] == "sudo"


def test_an_archive_that_does_not_answer_is_not_the_end(machine: Machine) -> None:
    (machine.bin / "zstd").unlink()
    failing_update = APT_GET.replace('[ "$1" = install ] || exit 0', '[ "$1" = install ] || exit 100')
    machine.program("apt-get", failing_update.replace("{install}", ':>"{bin}/$1"; chmod +x "{bin}/$1"'))
    done = machine.run("--yes", "build-iso")
    assert "warning: not every source of packages answered" in done.stderr
    assert done.stdout == "task: build-iso\n"


def test_debians_python_gets_its_venv_module(machine: Machine) -> None:
    (machine.bin / "no-ensurepip").touch()
    done = machine.run("--yes", "stacks")
    assert "apt-get install -q --yes --no-install-recommends python3-venv" in machine.calls()
    assert done.stdout == "task: stacks\n"


def test_a_build_does_not_need_the_tools_of_the_tests(machine: Machine) -> None:
    (machine.bin / "packer").unlink()
    assert machine.run("build-iso").returncode == 0
    assert not any("apt-get" in call for call in machine.calls())
    machine.run("--yes", "verify-iso")
    assert "apt-get install -q --yes --no-install-recommends packer" in machine.calls()


def test_an_installed_package_without_its_program_is_an_error(machine: Machine) -> None:
    (machine.bin / "zstd").unlink()
    machine.program("apt-get", APT_GET.replace("{install}", ":"))
    done = machine.run("--yes", "build-iso")
    assert done.returncode == 1
    assert "still not found: zstd" in done.stderr


def test_an_ordinary_user_without_a_terminal_is_told_the_command(machine: Machine) -> None:
    (machine.bin / "zstd").unlink()
    machine.program("id", "#!/bin/sh\necho 1000\n")
    machine.program("sudo", "#!/bin/sh\necho sudo >>'{log}'\n")
    done = machine.run("build-iso")
    assert done.returncode == 1
    assert "run as root: apt-get install --no-install-recommends zstd" in done.stderr
    assert machine.calls() == []


@pytest.mark.parametrize("answer", ["\n", "y\n", "Yes\n"])
def test_an_ordinary_user_is_asked_before_sudo(machine: Machine, answer: str) -> None:
    (machine.bin / "zstd").unlink()
    machine.program("id", "#!/bin/sh\necho 1000\n")
    machine.program("sudo", '#!/bin/sh\necho sudo >>"{log}"\nexec "$@"\n')
    done = machine.run_on_terminal("build-iso", answer)
    assert "Use sudo to install: zstd? [Y/n]" in done.stdout
    assert machine.calls()[:4] == [
        "sudo",
        "apt-get update -q",
        "sudo",
        "apt-get install -q --yes --no-install-recommends zstd",
    ]
    assert "task: build-iso" in done.stdout


@pytest.mark.parametrize("answer", ["n\n", "no\n", "\x04"])
def test_a_no_installs_nothing(machine: Machine, answer: str) -> None:
    (machine.bin / "zstd").unlink()
    machine.program("id", "#!/bin/sh\necho 1000\n")
    machine.program("sudo", '#!/bin/sh\necho sudo >>"{log}"\n')
    done = machine.run_on_terminal("build-iso", answer)
    assert done.returncode == 1
    assert machine.calls() == []


def test_another_package_manager_gets_the_names_and_the_container(machine: Machine) -> None:
    (machine.bin / "zstd").unlink()
    (machine.bin / "apt-get").unlink()
    machine.program("dnf")
    done = machine.run("build-iso")
    assert done.returncode == 1
    assert "error: not installed: zstd" in done.stderr
    assert "docker build -t rigforge-builder" in done.stderr
    assert "rigforge-builder ./bootstrap build-iso" in done.stderr


@pytest.mark.parametrize("options", [["--full"], ["--part", "debian-12-images"], ["--part=debian-12-images"]])
def test_what_the_full_tests_need_a_part_of_them_needs(options: list[str]) -> None:
    command = [str(PROJECT / "bootstrap"), "--packages", "test"]
    needed = subprocess.run([*command, *options], capture_output=True, text=True, check=True).stdout.split()
    assert "chromium" in needed
    assert "chromium" not in subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_every_task_and_no_other_says_what_it_needs() -> None:
    assert {name.partition(" ")[0] for name in PACKAGES["tasks"]} == {name.replace("_", "-") for name in tasks.__all__}
    needed = {group for groups in PACKAGES["tasks"].values() for group in groups.split()}
    assert needed == PACKAGES.keys() - {"tasks"}


def test_what_several_tasks_need_is_asked_for_once() -> None:
    command = [str(PROJECT / "bootstrap"), "--packages", "build-iso", "build-images"]
    needed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert len(needed) == len(set(needed)) > 0 and "skopeo" in needed


@pytest.mark.parametrize("word", ["", ".*", "--full", "a b", "building", "$(id)"])
def test_a_word_that_is_no_task_needs_nothing(word: str) -> None:
    command = [str(PROJECT / "bootstrap"), "--packages", "stacks", word]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""


def test_an_old_python_is_named(machine: Machine) -> None:
    machine.program("python3", '#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2 || exit 1\n')
    done = machine.run("build-iso")
    assert done.returncode == 1
    assert "Rigforge needs Python 3.11 or newer; here is Python 3.9.2" in done.stderr
    assert machine.calls() == []


def test_a_newer_python_beside_an_old_one_is_taken(machine: Machine) -> None:
    machine.program("python3", "#!/bin/sh\nexit 1\n")
    machine.program("python3.12", PYTHON.replace("{bin}/python3", "{bin}/python3.12"))
    assert machine.run("stacks").stdout == "task: stacks\n"


@pytest.mark.parametrize(
    "words", [["build-iso", "--help"], ["--list"], ["-h", "biuld-iso"], ["--version"], ["lint", "--help"]]
)
def test_a_python_without_packages_knows_tasks_and_options_too(words: list[str]) -> None:
    program = [sys.executable, "-I", "-S", PROJECT / "rigforge/tasks/overview.py"]
    done = subprocess.run([*program, *words], cwd="/", capture_output=True, text=True)
    complete = rigforge(*words)
    assert (done.returncode, done.stderr) == (complete.returncode, complete.stderr)
    options = re.compile(r"^  (--[a-z-]+|[a-z-]+(?=  ))", re.MULTILINE)
    assert options.findall(done.stdout) == options.findall(complete.stdout)
    assert "Traceback" not in done.stderr


def test_the_environment_is_a_real_one(tmp_path: Path) -> None:
    """With the real Python, and a package that only the environment can see."""
    for name in ("bootstrap", "packages.toml"):
        shutil.copy(PROJECT / name, tmp_path)
    (tmp_path / "requirements.txt").write_text("# none\n")
    (tmp_path / "rigforge").mkdir()
    (tmp_path / "rigforge/__init__.py").touch()
    (tmp_path / "rigforge/cli.py").write_text("import sys; print(sys.prefix, sys.argv[1:])\n")
    done = subprocess.run([tmp_path / "bootstrap", "stacks"], cwd="/", capture_output=True, text=True)
    assert done.stdout == f"{tmp_path}/.venv ['stacks']\n", done.stderr
    again = subprocess.run([tmp_path / ".venv/bin/rigforge"], cwd="/", capture_output=True, text=True)
    assert again.stdout == f"{tmp_path}/.venv []\n"
    assert sys.prefix not in done.stdout
