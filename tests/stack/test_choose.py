"""Where no stack is named, the first one that can be built here is, and Rigforge says why."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from rigforge.errors import RigforgeError
from rigforge.stack.choose import choose, preference, unanswered
from rigforge.stack.load import load, names
from rigforge.stack.model import Stack


@dataclass
class Roles:
    base: str
    known: tuple[str, ...] = ("debian", "debian-security", "ubuntu")

    def url(self, role: str) -> str:
        if role not in self.known:
            raise RigforgeError(f"nothing says where the archive `{role}` is")
        return f"{self.base}/{role}"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[str]:
    """Serves tmp_path, with the Release files of all of debian-12's suites in it, on this machine only."""
    for entry in load("debian-12").archives:
        folder = tmp_path / entry.role / "dists" / entry.suite
        folder.mkdir(parents=True)
        (folder / "InRelease").write_text("Origin: test\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_order_is_that_of_stacks_that_there_are() -> None:
    assert preference()[0] == "ubuntu-24.04"
    assert set(preference()) <= set(names())


def test_a_stack_without_a_road_is_passed_over_and_that_is_said(archive: str) -> None:
    stack, reason = choose(Roles(archive))
    assert stack.name == "debian-12"
    assert reason == (
        "ubuntu-24.04: the archive ubuntu (noble) does not answer: HTTP status 404; "
        "debian-12: its archives answer (debian, debian-security)"
    )


def test_the_loader_adds_the_sites_values(archive: str) -> None:
    stack, _ = choose(Roles(archive), partial(load, sets=["hostname=gpu1"]))
    assert stack.machine.hostname == "gpu1"


def test_a_preferred_stack_that_is_locked_and_answers_comes_first(archive: str, tmp_path: Path) -> None:
    def locked(name: str) -> Stack:
        copy = Path(shutil.copy(load(name).path, tmp_path))
        copy.with_suffix(".lock").touch()
        return load(copy)

    stack, reason = choose(Roles(archive), locked, lambda url: "")
    assert stack.name == "ubuntu-24.04"
    assert reason == "ubuntu-24.04: its archives answer (ubuntu)"


def test_a_stack_without_a_lock_is_taken_where_all_answers_that_it_is_locked_from(archive: str) -> None:
    def silent(stack: Stack) -> str:
        return "the archive pypi does not answer: no network" if stack.name == "ubuntu-24.04" else ""

    stack, reason = choose(Roles(archive), probe=lambda url: "")
    assert (stack.name, reason) == ("ubuntu-24.04", "ubuntu-24.04: its archives answer (ubuntu)")
    stack, reason = choose(Roles(archive), probe=lambda url: "", silent=silent)
    assert stack.name == "debian-12"
    assert reason.startswith("ubuntu-24.04: the archive pypi does not answer: no network; debian-12: ")


def test_an_archive_that_lacks_a_suite_does_not_answer(archive: str, tmp_path: Path) -> None:
    (tmp_path / "debian-security/dists/bookworm-security/InRelease").unlink()
    with pytest.raises(RigforgeError) as caught:
        choose(Roles(archive))
    assert "debian-12: the archive debian-security (bookworm-security) does not answer: HTTP status 404" in (
        caught.value.message
    )
    assert "ubuntu-24.04: the archive ubuntu (noble) does not answer: HTTP status 404" in caught.value.message


def test_a_role_that_nobody_serves_is_a_reason_too(archive: str) -> None:
    with pytest.raises(RigforgeError, match="debian-12: nothing says where the archive `debian-security` is"):
        choose(Roles(archive, known=("debian",)))


def test_a_host_that_is_not_there_is_said_at_once() -> None:
    # Port 1 of this machine: nothing listens there.
    assert unanswered("http://127.0.0.1:1/debian/dists/bookworm/InRelease") == "ConnectionError"


def test_an_archive_in_a_folder_answers_when_its_file_is_there(tmp_path: Path) -> None:
    (tmp_path / "In Release").write_text("")
    assert unanswered(f"file://{tmp_path}/In%20Release") == ""
    assert unanswered(f"file://{tmp_path}/none") == "no such file"
