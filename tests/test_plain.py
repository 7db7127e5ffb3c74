"""What others say is shown as text, wherever it is shown: nothing in it moves a cursor, opens a link, turns a line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rigforge import console
from rigforge.doctor.check import Check, Topic
from rigforge.doctor.machine import Machine
from rigforge.doctor.nvml import Nvml, NvmlGpu
from rigforge.doctor.page import as_page
from rigforge.doctor.terminal import as_text
from rigforge.plain import line, plain, within
from rigforge.report.page import environment

HOSTILE = {
    "ESC": "\x1b[2J\x1b[31mred",
    "OSC 8": "\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "OSC 52": "\x1b]52;c;cm0gLXJmIH4=\x07",
    "C1": "\x9b31m\x9d52;c;cm0=\x9c",
    "BiDi": "txt\u202eexe.\u2066x\u2069\u200f\u061c",
    "invisible": "a\u200b\ufeff\U000e0041",
    "lines": "a\rb\x0bc\u2028d\u2029e\x85f",
    "DEL": "\x7f\x08",
    "surrogate": "\udc9b",
}

OBEYED = {letter for text in HOSTILE.values() for letter in text if plain(letter) != letter}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_nothing_that_is_obeyed_gets_through(text: str) -> None:
    assert text != plain(text)
    assert not OBEYED & set(plain(text))
    assert plain(plain(text)) == plain(text)


@pytest.mark.parametrize("text", ["Größe: 5 µm, 日本語, ✓ ➜ –", "a\tb\nc", "שלום", "café"])
def test_text_is_left_as_it_is(text: str) -> None:
    assert plain(text) == text


def test_one_line_stays_one() -> None:
    assert line("no\n✓ ssh keys only") == "no\\n✓ ssh keys only"


def test_json_is_cleaned_to_its_leaves() -> None:
    found = within({"\x1b": [("\x9b", 1, None)]})
    assert json.loads(json.dumps(found)) == {"\\x1b": [["\\x9b", 1, None]]}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_report_of_the_doctor_is_plain_on_a_terminal_on_a_page_and_in_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text(f'PRETTY_NAME="{text}"', errors="replace")
    machine = Machine(Nvml(gpus=(NvmlGpu(0, name="card"),)), tmp_path)
    checks = [Check("ssh", "warning", text, "why", text), Topic("clock", "why").not_applicable(text)]
    written = [
        as_text(machine, checks, "warning", colour=False),
        as_page(machine, checks, "warning"),
        *(str(value) for check in checks for value in vars(check).values()),
        str(machine.described()["system"]),
    ]
    assert not [one for one in written if OBEYED & set(one)]


@pytest.mark.parametrize("text", [*HOSTILE.values(), "[/bold] [red]x[/red] [link=https://evil.example]"])
def test_messages_are_plain_and_no_markup(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    for tell in (console.say, console.warn, console.fail):
        tell(text)
    console.fail("x", text)
    with console.step(text):
        pass
    said = capsys.readouterr().err
    assert not OBEYED & set(said)
    if text.startswith("["):
        assert said.count(text) == 6


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_pages_of_builds_are_plain(text: str) -> None:
    assert not OBEYED & set(environment().from_string("<p>{{ text }}</p>").render(text=text))
