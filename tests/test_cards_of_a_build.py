"""What `build-iso` says and refuses before it starts: the stack by the cards, what it takes, too small a disk."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from rigforge.artifacts.iso import Iso
from rigforge.errors import RigforgeError
from rigforge.options import announce, the_lock, the_stack
from rigforge.sources.mirrors import Mirrors

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGFORGE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rigforge.options.unanswered", lambda url, proxies: "")
    monkeypatch.setattr("rigforge.options.silent", lambda stack, mirrors: "")


@pytest.fixture
def mirrors() -> Mirrors:
    return Mirrors({role: f"http://a.example/{role}" for role in ("debian", "debian-security", "ubuntu")})


def test_the_cards_decide_which_stack_is_taken(mirrors: Mirrors, capsys: pytest.CaptureFixture[str]) -> None:
    assert the_stack("", mirrors, gpus=["Tesla V100"]).name == "debian-12"
    assert "ubuntu-24.04: Tesla V100 and cuda" in capsys.readouterr().err
    stack = the_stack("", mirrors, gpus=["GeForce RTX 5090", "GeForce RTX 5090"])
    assert (stack.name, stack.machine.gpus) == ("ubuntu-24.04", ("GeForce RTX 5090", "GeForce RTX 5090"))


def test_without_cards_the_preferred_stack_is_taken_and_nothing_is_recorded(mirrors: Mirrors) -> None:
    stack = the_stack("", mirrors)
    assert (stack.name, stack.machine.gpus) == ("ubuntu-24.04", ())


def test_a_stack_that_was_asked_for_and_does_not_drive_the_cards_is_refused(mirrors: Mirrors) -> None:
    with pytest.raises(RigforgeError, match="stack debian-12 does not drive GeForce RTX 5090") as failure:
        the_stack("debian-12", mirrors, gpus=["GeForce RTX 5090"])
    assert failure.value.hint == "take the stack that does: --stack ubuntu-24.04"


def test_it_is_said_for_which_cards_an_iso_is_and_what_it_takes(
    mirrors: Mirrors, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(10**12, 0, 10**12))
    stack = the_stack("debian-12", mirrors)
    announce(Iso(), stack, the_lock(stack), str(tmp_path / "out"))
    said = capsys.readouterr().err
    assert "L40S" in said and "(those of the stack; --gpu names yours)" in said
    assert "To download: 4.8 GB; on the disk: about 24.2 GB" in said
    stack = the_stack("debian-12", mirrors, gpus=["GeForce RTX 4090"])
    announce(Iso(), stack, the_lock(stack), str(tmp_path / "out"))
    assert "Cards: GeForce RTX 4090\n" in capsys.readouterr().err


def test_too_little_disk_is_refused_before_anything_is_fetched(
    mirrors: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(10**10, 0, 10**9))
    stack = the_stack("debian-12", mirrors)
    with pytest.raises(RigforgeError, match="too little disk"):
        announce(Iso(), stack, the_lock(stack), str(tmp_path / "out"))
