"""The command line, as scripts rely on it: standard output holds results only, exit codes tell how it ended."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import invoke
import pytest
from invoke.collection import Collection

import tasks
from rigforge import extras, paths, program
from rigforge.build_lock import exclusive
from rigforge.cli import exit_codes
from rigforge.compat.gpu import cards, find
from rigforge.errors import RigforgeError, UsageError
from rigforge.paths import PROJECT
from rigforge.stack import load
from tests.command import rigforge

RIGFORGE = (sys.executable, "-m", "rigforge.cli")
INVOKE = (sys.executable, "-m", "invoke")

EVERY_TASK = sorted(Collection.from_module(tasks).tasks.items())


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RIGFORGE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def run(program: tuple[str, ...], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*program, *arguments], cwd=PROJECT, capture_output=True, text=True)


@pytest.fixture
def waiting(home: Path) -> Iterator[subprocess.Popen[str]]:
    """A task in the middle of its work: it waits for a lock that this test holds."""
    with exclusive():
        process = subprocess.Popen(
            [*RIGFORGE, "clean"], cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr and "Waiting for" in process.stderr.readline()
        yield process


def test_the_list_names_every_task() -> None:
    listed = run(RIGFORGE, "--list").stdout
    assert {name for name, _ in EVERY_TASK} >= {"build-iso", "lock", "verify-iso", "test", "clean"}
    assert [line.split()[0] for line in listed.splitlines() if line.startswith("  ") and line[2] != " "] == [
        name for name, _ in EVERY_TASK
    ]


def test_help_may_come_behind_the_task_but_not_behind_another_programs_name() -> None:
    assert rigforge("validate", "--help").stdout == rigforge("--help", "validate").stdout != ""
    assert "Docstring:" not in rigforge("run", "--print", "--", "ls", "--help").stdout


def test_every_task_has_help_with_an_example() -> None:
    assert [name for name, task in EVERY_TASK if f"Example: invoke {name}" not in (task.__doc__ or "")] == []
    assert {name: rigforge("--help", name).returncode for name, _ in EVERY_TASK} == dict.fromkeys(dict(EVERY_TASK), 0)
    options = [(name, option) for name, task in EVERY_TASK for option in task.get_arguments()]
    assert [(name, option.name) for name, option in options if not option.help] == []


def test_a_listing_does_not_wait_for_the_package() -> None:
    slow = "{'pydantic', 'requests', 'rich', 'debian'}"
    program = (
        "import sys; sys.argv = ['rigforge', '--list']\n"
        "from rigforge.cli import main\n"
        f"try: main()\nfinally: sys.stderr.write(str({slow} & set(sys.modules)))"
    )
    assert run((sys.executable, "-c", program)).stderr == "set()"


def test_a_build_does_not_wait_for_the_schemas_of_other_documents() -> None:
    """jsonschema brings the grammars of every kind of name that it can check: over a second."""
    program = "import sys, rigforge.build, rigforge.options; print('jsonschema' in sys.modules)"
    assert run((sys.executable, "-c", program)).stdout == "False\n"


def test_a_build_does_not_wait_for_engines_and_channels_that_it_asks_for_nothing() -> None:
    slow = "{'docker', 'pypi_simple', 'rattler'}"
    asks = "rigforge.engine.load, rigforge.sources.mirrors"
    program = f"import sys, rigforge.options, {asks}\n"
    program += "rigforge.sources.mirrors.Mirrors.from_environment()\n"
    program += f"print({slow} & set(sys.modules))"
    assert run((sys.executable, "-c", program)).stdout == "set()\n"


@pytest.mark.parametrize(
    "arguments",
    [["no-such-task"], ["build-iso", "--no-such-option"], ["seed"], ["verify-iso", "--firmware", "coreboot"]],
    ids=["task", "option", "missing argument", "value"],
)
def test_a_wrong_command_line_ends_with_2(arguments: list[str]) -> None:
    done = rigforge(*arguments)
    assert done.returncode == 2
    assert done.stderr and not done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message", "listed"),
    [
        (["biuld-iso"], 'there is no task "biuld-iso", did you mean "build-iso"?', "tasks: build-"),
        (["--help", "verify-is"], 'there is no task "verify-is", did you mean "verify-iso"?', "tasks: build-"),
        (["build-iso", "debian-12"], 'there is no task "debian-12"', "tasks: build-"),
        (
            ["build-iso", "--stakc", "smoke"],
            'there is no option "--stakc", did you mean "--stack"?',
            "options of build-iso: --base-iso, ",
        ),
        (["build-iso", "--ofline=1"], 'there is no option "--ofline", did you mean "--offline"?', "options of"),
        (["--lsit"], 'there is no option "--lsit", did you mean "--list"?', "options: --command-timeout, "),
    ],
)
def test_what_was_probably_meant_is_said_with_the_list(arguments: list[str], message: str, listed: str) -> None:
    done = rigforge(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    error, hint = done.stderr.splitlines()
    assert error == f"error: {message}"
    assert hint.startswith(f"hint: {listed}")


def completed(*words: str) -> list[str]:
    return rigforge("--complete", "--", "rigforge", *words).stdout.splitlines()


def test_tasks_and_options_are_completed() -> None:
    assert {"build-iso", "verify-iso"} <= set(completed("bu")) == set(completed()) == {name for name, _ in EVERY_TASK}
    assert "--stack" in completed("build-iso", "--st") and "--gpu" not in completed("build-images", "--")


def test_stacks_and_cards_are_completed_by_name() -> None:
    assert completed("build-iso", "--stack") == completed("lock", "--stack", "deb") == sorted(load.names())
    assert completed("build-iso", "--stack=deb") == [f"--stack={name}" for name in sorted(load.names())]
    # As bash takes words apart.
    assert completed("build-iso", "--stack", "=", "deb") == sorted(load.names())
    assert "RTX-5090" in completed("explain", "--gpu", "RTX")
    named = completed("build-iso", "--gpu", "")
    assert len(named) == len(set(named)) > 100
    assert completed("build-iso", "--stack", "smoke") == sorted(name for name, _ in EVERY_TASK)


def test_a_completed_card_is_the_one_of_the_table() -> None:
    names = list(program.cards())
    assert [name for name in names if not re.fullmatch(r"[\w.+-]+", name)] == []
    different = {(card.name, name) for card, name in zip(cards(), names, strict=True) if find(name).needs != card.needs}
    assert different == set()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_calls_the_program_by_its_name(shell: str) -> None:
    script = run(RIGFORGE, "--print-completion-script", shell).stdout
    assert re.search(r"\brigforge (\S+ )?--complete --", script) and "cli.py" not in script


def test_bash_completes_with_it(tmp_path: Path) -> None:
    program = tmp_path / "rigforge"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{PROJECT}" exec "{sys.executable}" -m rigforge.cli "$@"\n')
    program.chmod(0o755)
    complete = 'eval "$(rigforge --print-completion-script bash)"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))\n'
    complete += '_complete_rigforge rigforge "${COMP_WORDS[COMP_CWORD]}"; printf "%s\\n" "${COMPREPLY[@]}"'

    def replies(*words: str) -> list[str]:
        path = f"{tmp_path}:{os.environ['PATH']}"
        command = ["bash", "-c", complete, "bash", "rigforge", *words]
        done = subprocess.run(command, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True)
        return done.stdout.split()

    assert replies("build-is") == ["build-iso"]
    assert replies("build-iso", "--stack", "deb") == ["debian-12"]
    assert "RTX-5090" in replies("explain", "--gpu", "RTX-50")
    assert replies("build-iso", "--of") == ["--offline"]


def test_a_python_without_the_packages_goes_on_with_bootstrap(tmp_path: Path) -> None:
    """`invoke build-iso` in a clone, with nothing but Invoke installed."""
    shutil.copytree(PROJECT / "rigforge", tmp_path / "checkout/rigforge")
    for name in ("tasks.py", "pyproject.toml"):
        shutil.copy(PROJECT / name, tmp_path / "checkout")
    (tmp_path / "checkout/bootstrap").write_text('#!/bin/sh\nprintf "bootstrap: %s\\n" "$@"\n')
    (tmp_path / "checkout/bootstrap").chmod(0o755)
    (tmp_path / "packages").mkdir()
    for path in Path(invoke.__file__).parents[1].glob("invoke*"):
        (tmp_path / "packages" / path.name).symlink_to(path)
    command = [sys.executable, "-S", "-m", "invoke", "build-iso", "--set", "full_name=Ada  Lovelace"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "packages"), "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path / "checkout", env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        "bootstrap: build-iso",
        "bootstrap: --set",
        "bootstrap: full_name=Ada  Lovelace",
    ]
    assert re.fullmatch(r"This Python has no \w+: going on with ./bootstrap build-iso\n", done.stderr)
    listed = subprocess.run([*command[:4], "--list"], cwd=tmp_path / "checkout", env=environment, capture_output=True)
    assert (listed.returncode, listed.stderr) == (0, b"") and b"build-iso" in listed.stdout


@pytest.mark.parametrize("words", [["verify-iso", "--stack", "smoke"], ["verify-images"], ["build-doctor"]])
def test_so_does_one_without_what_a_task_alone_needs(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)

    def in_its_place(program: Path, arguments: list[str]) -> None:
        print(program, *arguments)
        raise SystemExit(0)

    monkeypatch.setattr(os, "execv", in_its_place)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    done = rigforge(*words)
    assert done.stdout == f"{PROJECT}/bootstrap bootstrap {' '.join(words)}\n"
    assert re.fullmatch(rf"This Python has no [\w, ]+: going on with ./bootstrap {words[0]}\n", done.stderr)
    monkeypatch.setattr(sys, "prefix", str(PROJECT / ".venv"))
    there = rigforge(*words)
    assert (there.returncode, there.stdout) == (1, "")
    assert "error: this Python has no" in there.stderr and "install 'FILE.whl[" in there.stderr


def test_so_does_the_process() -> None:
    assert run(RIGFORGE, "no-such-task").returncode == 2


@pytest.mark.parametrize("program", [RIGFORGE, INVOKE], ids=["rigforge", "invoke"])
def test_a_users_error_ends_with_1_and_says_what_to_do(program: tuple[str, ...]) -> None:
    done = run(program, "build-iso", "--stack", "debain-12")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert "debain-12" in done.stderr and "debian-12" in done.stderr and "Traceback" not in done.stderr


def test_ctrl_c_ends_with_130(waiting: subprocess.Popen[str]) -> None:
    waiting.send_signal(signal.SIGINT)
    stdout, stderr = waiting.communicate(timeout=20)
    assert (waiting.returncode, stdout) == (130, "")
    assert stderr.endswith("error: interrupted\n") and "Traceback" not in stderr


def test_a_request_to_end_is_obeyed_as_an_interruption(waiting: subprocess.Popen[str]) -> None:
    waiting.send_signal(signal.SIGTERM)
    stdout, stderr = waiting.communicate(timeout=20)
    assert (waiting.returncode, stdout) == (128 + signal.SIGTERM, "")
    assert "Traceback" not in stderr


def test_a_reader_that_has_read_enough_is_no_bug(home: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        done = subprocess.run([*RIGFORGE, "--list"], cwd=PROJECT, stdout=closed, stderr=subprocess.PIPE, text=True)
    assert done.stderr == ""
    assert not (home / "bugs").exists()


def test_a_bug_is_written_down_and_says_how_to_report_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end, exit_codes():
        {}["key"]
    (report,) = (home / "bugs").iterdir()
    said = capsys.readouterr().err
    assert end.value.code == 70
    assert "a bug in Rigforge: KeyError: 'key'" in said
    assert str(report) in said and "Traceback" not in said
    assert '{}["key"]' in report.read_text()


def test_a_bug_on_a_full_disk_is_still_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RIGFORGE_HOME", str(tmp_path / "file"))
    with pytest.raises(SystemExit) as end, exit_codes():
        {}["key"]
    assert end.value.code == 70
    assert "Traceback" in capsys.readouterr().err


def test_a_full_disk_is_the_users_to_mend(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end, exit_codes():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/somewhere/file")
    said = capsys.readouterr().err
    assert end.value.code == 1
    assert "No space left on device: /somewhere/file" in said
    assert "RIGFORGE_HOME" in said and str(home) in said


@pytest.mark.parametrize(
    ("error", "code"), [(RigforgeError("wrong", "mend it"), 1), (UsageError("wrong", "mend it"), 2)]
)
def test_an_error_has_its_own_code(error: RigforgeError, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end, exit_codes():
        raise error
    assert end.value.code == code
    assert capsys.readouterr().err == "error: wrong\nhint: mend it\n"


def test_hints_name_the_command_that_a_wheel_has(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(paths, "CHECKOUT", False)
    with pytest.raises(SystemExit), exit_codes():
        raise RigforgeError("wrong", "RIGFORGE_HOME=/path ./bootstrap …, ./bootstrap --yes x or invoke build-iso")
    hint = "RIGFORGE_HOME=/path rigforge …, rigforge --yes x or rigforge build-iso"
    assert capsys.readouterr().err == f"error: wrong\nhint: {hint}\n"


def test_a_site_value_can_be_given_several_times() -> None:
    done = rigforge("build-iso", "--stack", "smoke", "--set", "hostname=gpu1", "--set", "no_such_key=x")
    assert done.returncode == 1
    assert "no_such_key" in done.stderr
