"""The command line, as scripts rely on it: standard output holds results only, exit codes tell how it ended."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from invoke.collection import Collection

import tasks
from rigforge.build_lock import exclusive
from rigforge.cli import exit_codes
from rigforge.errors import RigforgeError, UsageError
from rigforge.paths import PROJECT
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


def test_a_site_value_can_be_given_several_times() -> None:
    done = rigforge("build-iso", "--stack", "smoke", "--set", "hostname=gpu1", "--set", "no_such_key=x")
    assert done.returncode == 1
    assert "no_such_key" in done.stderr
