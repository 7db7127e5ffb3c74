"""No lock yet is no error: it is made and named. One that is there is read, or refused, and never written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rigforge.errors import RigforgeError
from rigforge.lock.missing import asked_of, lock_of, silent
from rigforge.lock.model import read, write
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.load import load
from tests.lock.workshop import Workshop
from tests.sources.serving import NOBODY
from tests.sources.signed_archive import Key, SignedArchive


def test_a_missing_lock_is_made_and_named_with_its_path(workshop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    stack = workshop.stack()
    lock = lock_of(stack, workshop.mirrors)
    assert read(stack.lock_path) == lock
    said = capsys.readouterr().err
    assert f"{stack.lock_path}: there is no lock yet; it is made now" in said
    assert f"lock made: {stack.lock_path}" in said


def test_a_lock_that_is_there_is_not_written_and_no_archive_is_asked(workshop: Workshop) -> None:
    stack = workshop.stack()
    lock_of(stack, workshop.mirrors)
    before = stack.lock_path.stat()
    lock_of(stack, Mirrors({}))
    assert (stack.lock_path.stat().st_mtime_ns, stack.lock_path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_a_stale_lock_is_refused_with_the_command_and_stays(workshop: Workshop) -> None:
    stack = workshop.stack()
    write(replace(lock_of(stack, workshop.mirrors), stack_sha256="0" * 64), stack.lock_path)
    before = stack.lock_path.read_bytes()
    with pytest.raises(RigforgeError, match="stale lock") as failure:
        lock_of(stack, workshop.mirrors)
    assert "invoke lock --stack rig" in failure.value.hint
    assert stack.lock_path.read_bytes() == before


def test_a_damaged_lock_is_refused_and_stays(workshop: Workshop) -> None:
    stack = workshop.stack()
    stack.lock_path.write_text("<<<<<<< HEAD\n")
    with pytest.raises(RigforgeError, match=r"rig\.lock: damaged lock"):
        lock_of(stack, workshop.mirrors)
    assert stack.lock_path.read_text() == "<<<<<<< HEAD\n"


def test_offline_no_lock_is_made(workshop: Workshop) -> None:
    stack = workshop.stack()
    with pytest.raises(RigforgeError, match=r"rig\.lock: there is no lock yet, and --offline") as failure:
        lock_of(stack, workshop.mirrors, offline=True)
    assert "invoke lock --stack rig" in failure.value.hint


def test_where_half_the_roles_answer_no_lock_is_made_and_one_error_names_them(workshop: Workshop) -> None:
    stack = workshop.stack()
    urls = {**workshop.mirrors.urls, "pypi": f"{NOBODY}/simple", "debian-security": f"{NOBODY}/debian-security"}
    with pytest.raises(RigforgeError, match="2 of 3 archives") as failure:
        lock_of(stack, Mirrors(urls))
    assert f"debian-security: {NOBODY}/debian-security: ConnectionError" in failure.value.message
    assert f"pypi: {NOBODY}/simple: ConnectionError" in failure.value.message
    assert "these answer: debian" in failure.value.message
    assert 'debian-security = "https://HOST/…"' in failure.value.hint
    assert not stack.lock_path.exists()


def test_without_a_network_that_is_said_once(workshop: Workshop) -> None:
    stack = workshop.stack()
    nowhere = Mirrors({role: f"{NOBODY}/{role}" for role in ("debian", "debian-security", "pypi")})
    with pytest.raises(RigforgeError, match="no archive") as failure:
        lock_of(stack, nowhere)
    assert "network and proxy" in failure.value.hint


def test_where_the_clock_is_wrong_no_lock_is_made(workshop: Workshop, key: Key) -> None:
    """The archive's Release file is of a day that this machine's clock has not reached."""
    stack = workshop.stack()
    tomorrow = SignedArchive(workshop.folder / "tomorrow")
    tomorrow.add("bookworm-security", "bash", "5.2")
    tomorrow.publish("bookworm-security", key, Date="Sat, 01 Jan 2050 00:00:00 UTC")
    urls = {**workshop.mirrors.urls, "debian-security": f"file:{tomorrow.path}"}
    with pytest.raises(RigforgeError, match=r"debian-security .* is dated in the future") as failure:
        lock_of(stack, Mirrors(urls))
    assert "clock" in failure.value.hint
    assert not stack.lock_path.exists()


def test_a_stack_asks_all_the_archives_that_its_lock_is_made_from() -> None:
    roles = {place.role for place in asked_of(load("ubuntu-24.04"))}
    assert roles == {"ubuntu", "ubuntu-releases", "conda-forge", "pypi"}


def test_the_archive_that_keeps_a_stack_from_being_locked_is_named(workshop: Workshop) -> None:
    stack = workshop.stack()
    assert silent(stack, workshop.mirrors) == ""
    silenced = Mirrors({**workshop.mirrors.urls, "pypi": f"{NOBODY}/simple"})
    assert silent(stack, silenced) == f"the archive pypi does not answer: {NOBODY}/simple: ConnectionError"
