"""What the store does when a connection breaks or a mirror errs."""

from __future__ import annotations

import hashlib
import os
import time

import pytest

from rigforge.errors import RigforgeError
from rigforge.records.file import LockedFile
from rigforge.sources.mirrors import FileGoneError, Mirrors
from rigforge.store.download import WrongContentError
from rigforge.store.store import Store
from tests.store.http_mirror import Answer, HttpMirror

CONTENT = os.urandom(100_000)
OTHER = os.urandom(100_000)


@pytest.fixture
def file(mirror: HttpMirror) -> LockedFile:
    return mirror.add("bash", CONTENT)


def interrupted(store: Store, file: LockedFile, content: bytes) -> None:
    """Leaves what a run that was killed leaves."""
    part = store.part_path(file)
    part.parent.mkdir(parents=True)
    part.write_bytes(content)


def files_in(store: Store) -> list[str]:
    return [path.name for path in store.root.glob("??/*")]


# Connections


def test_a_broken_connection_is_resumed_where_it_broke(store, mirror, file):
    mirror.fails(file, Answer(drop_after=30_000), Answer(drop_after=20_000))
    store.fetch([file], mirror.mirrors)
    assert store.path(file.sha256).read_bytes() == CONTENT
    assert mirror.asked(file) == ["", "bytes=30000-", "bytes=50000-"]


def test_a_server_that_cannot_resume_is_asked_for_the_whole_file(store, mirror, file):
    mirror.honours_range = False
    mirror.fails(file, Answer(drop_after=30_000))
    store.fetch([file], mirror.mirrors)
    assert store.path(file.sha256).read_bytes() == CONTENT


def test_a_connection_may_break_many_times_as_long_as_something_arrives(store, mirror, file):
    mirror.fails(file, *[Answer(drop_after=9_000)] * 11)
    store.fetch([file], mirror.mirrors)
    assert store.has(file)


def test_a_server_that_sends_nothing_is_given_up(store, mirror, file):
    mirror.always = Answer(drop_after=0)
    with pytest.raises(RigforgeError, match=r"cannot fetch debian:pool/bash\.deb from http://127"):
        store.fetch([file], mirror.mirrors)
    assert len(mirror.requests) == 5


def test_no_server_at_all_says_where_the_mirror_is_configured(store, file):
    with pytest.raises(RigforgeError, match="refused") as failure:
        store.fetch([file], Mirrors({"debian": "http://127.0.0.1:9/debian"}))
    assert "[mirrors]" in failure.value.hint


def test_without_a_network_a_file_that_the_directory_lacks_is_named_with_its_place_there(store, file, tmp_path):
    with pytest.raises(RigforgeError, match=f"{tmp_path}/debian/pool/bash.deb is not there, .* refused"):
        store.fetch([file], Mirrors({"debian": "http://127.0.0.1:9/debian"}, tmp_path))


def test_what_an_earlier_run_left_is_not_fetched_again(store, mirror, file):
    interrupted(store, file, CONTENT[:70_000])
    store.fetch([file], mirror.mirrors)
    assert store.path(file.sha256).read_bytes() == CONTENT
    assert mirror.asked(file) == ["bytes=70000-"]


def test_a_complete_part_needs_no_server(store, file):
    interrupted(store, file, CONTENT)
    store.fetch([file], Mirrors({}))
    assert store.path(file.sha256).read_bytes() == CONTENT


@pytest.mark.parametrize("rubbish", [OTHER[:70_000], OTHER, OTHER + OTHER])
def test_rubbish_left_by_an_earlier_run_is_replaced_and_not_held_against_the_mirror(store, mirror, file, rubbish):
    interrupted(store, file, rubbish)
    mirror.fails(file, *[Answer()] * (len(rubbish) < len(CONTENT)), Answer(body=OTHER))
    store.fetch([file], mirror.mirrors)
    assert store.path(file.sha256).read_bytes() == CONTENT


# Status codes


def test_an_overloaded_server_is_asked_again(store, mirror, file):
    mirror.fails(file, Answer(status=503), Answer(status=429))
    store.fetch([file], mirror.mirrors)
    assert store.has(file)


def test_a_server_that_stays_overloaded_is_given_up(store, mirror, file):
    mirror.always = Answer(status=503)
    with pytest.raises(RigforgeError, match="it answers 503"):
        store.fetch([file], mirror.mirrors)


def test_a_server_that_refuses_is_asked_once(store, mirror, file):
    mirror.always = Answer(status=403)
    with pytest.raises(RigforgeError, match="it answers 403"):
        store.fetch([file], mirror.mirrors)
    assert len(mirror.requests) == 1


def test_a_file_that_has_left_the_archive_is_named_with_both_ways_out(store, mirror, file):
    mirror.contents.clear()
    with pytest.raises(FileGoneError, match=r"debian:pool/bash\.deb") as failure:
        store.fetch([file], mirror.mirrors)
    assert "invoke lock --upgrade" in failure.value.hint
    assert "--mirror DIR" in failure.value.hint
    assert "DIR/debian/pool/bash.deb" in failure.value.hint
    assert files_in(store) == []


def test_a_password_in_a_mirrors_url_is_not_shown(store, mirror, file):
    mirror.contents.clear()
    with_password = mirror.url.replace("//", "//user:secret@")
    with pytest.raises(FileGoneError) as failure:
        store.fetch([file], Mirrors({"debian": f"{with_password}/debian"}))
    assert "secret" not in failure.value.message


# Content


@pytest.mark.parametrize("wrong", [CONTENT[:60_000], OTHER, CONTENT + b"more"], ids=["truncated", "swapped", "longer"])
def test_wrong_content_is_fetched_once_more_past_any_cache(store, mirror, file, wrong):
    mirror.fails(file, Answer(body=wrong))
    store.fetch([file], mirror.mirrors)
    assert store.path(file.sha256).read_bytes() == CONTENT
    assert [request.headers.get("cache-control") for request in mirror.requests] == [None, "no-cache"]


def test_a_file_truncated_twice_is_named_with_both_sizes(store, mirror, file):
    mirror.always = Answer(body=CONTENT[:60_000])
    with pytest.raises(WrongContentError) as failure:
        store.fetch([file], mirror.mirrors)
    for fact in ("debian:pool/bash.deb", "100000 bytes", "60000 bytes", mirror.url):
        assert fact in failure.value.message
    assert len(mirror.requests) == 2
    assert files_in(store) == []


def test_a_file_swapped_twice_is_named_with_both_checksums(store, mirror, file):
    mirror.always = Answer(body=OTHER)
    with pytest.raises(WrongContentError) as failure:
        store.fetch([file], mirror.mirrors)
    assert file.sha256 in failure.value.message
    assert hashlib.sha256(OTHER).hexdigest() in failure.value.message
    assert files_in(store) == []


def test_an_endless_file_is_given_up_once_it_is_too_long(store, mirror, file):
    mirror.always = Answer(body=bytes(5_000_000), stall=30)
    start = time.monotonic()
    with pytest.raises(WrongContentError, match="more bytes than that"):
        store.fetch([file], mirror.mirrors)
    assert time.monotonic() - start < 30


def test_a_damaged_mirror_directory_is_named(store, file, tmp_path):
    path = tmp_path / "vendor/debian/pool/bash.deb"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(WrongContentError, match=str(path)):
        store.fetch([file], Mirrors({}, tmp_path / "vendor"))


def test_one_bad_file_leaves_the_good_ones_in_the_store(store, mirror, file):
    good = mirror.add("dash", b"dash")
    mirror.fails(file, Answer(body=OTHER), Answer(body=OTHER))
    with pytest.raises(WrongContentError):
        store.fetch([good, file], mirror.mirrors, workers=1)
    store.fetch([good, file], mirror.mirrors)
    assert store.has(good)
    assert store.has(file)
