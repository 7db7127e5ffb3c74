"""A machine that answers `connect` with something else than the truth: a line to paste stays one command."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from rigforge.connect.connect import code
from rigforge.connect.tunnel import MARK
from rigforge.errors import RigforgeError, UsageError

SERVER = {"port": 8888, "token": "abc", "secure": False, "base_url": "/"}


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with what the stand-in for ssh says."""
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!{sys.executable}\nprint(open({str(tmp_path / 'answer')!r}).read(), flush=True)\ninput()\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path / "answer"


def said(answers: Path, **changed: object) -> None:
    found = {"home": "/home/ada", "service": "", "server": None, **changed}
    answers.write_text(MARK + json.dumps(found) + "\n")


@pytest.mark.parametrize(
    "home",
    [
        "/home/ada",
        "/home/ada; touch executed #",
        "/home/$(id)",
        "/home/`id`",
        "/home/a b",
        "/home/a'b",
        "C:\\Users\\ada",
    ],
)
def test_the_home_is_one_word_of_the_shell(answers: Path, home: str) -> None:
    said(answers, home=home)
    assert shlex.split(code("gpubox")) == ["code", "--remote", "ssh-remote+gpubox", home]


@pytest.mark.parametrize(
    "home", ["/home/a\nrm -rf ~", "/\x1b]52;c;cm0=\x07", "/home/\u202ea", "/\x9b", "-x", "relative", "", 7, None, ["/"]]
)
def test_what_is_no_path_is_refused(answers: Path, home: object) -> None:
    said(answers, home=home)
    with pytest.raises(RigforgeError, match="no answer that can be used"):
        code("gpubox")


@pytest.mark.parametrize(
    "changed",
    [
        {"service": "active\x1b[2J"},
        {"service": 7},
        {"server": {}},
        {"server": 7},
        {"server": {**SERVER, "port": "22"}},
        {"server": {**SERVER, "port": 0}},
        {"server": {**SERVER, "token": "x&y"}},
        {"server": {**SERVER, "base_url": "//evil.example/"}},
        {"server": {**SERVER, "base_url": "@evil.example/"}},
    ],
)
def test_a_server_is_nothing_else_than_one(answers: Path, changed: dict[str, object]) -> None:
    said(answers, **changed)
    with pytest.raises(RigforgeError, match="no answer that can be used"):
        code("gpubox")


@pytest.mark.parametrize("text", ["{}", "[]", "7", "nothing", "[" * 100_000])
def test_no_answer_at_all(answers: Path, text: str) -> None:
    answers.write_text(MARK + text + "\n")
    with pytest.raises(RigforgeError, match="no answer that can be used"):
        code("gpubox")


@pytest.mark.parametrize("host", ["a\x1b[2J", "a\u202eb", "a;b\x00"])
def test_a_host_is_plain_text(host: str) -> None:
    with pytest.raises(UsageError, match="is not a machine's name"):
        code(host)
