"""What the store does with a mirror that works."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.records.file import LockedFile
from rigforge.sources.mirrors import Mirrors
from rigforge.store.store import Store

CONTENT = os.urandom(100_000)
NOWHERE = Mirrors({})


def test_a_file_lies_under_its_sha256_and_is_read_only(store, mirror):
    file = mirror.add("bash", CONTENT)
    store.fetch([file], mirror.mirrors)
    path = store.path(hashlib.sha256(CONTENT).hexdigest())
    assert path.read_bytes() == CONTENT
    assert path.stat().st_mode & 0o777 == 0o444
    assert path == store.root / file.sha256[:2] / file.sha256


def test_nothing_but_the_files_themselves_is_left(store, mirror):
    files = [mirror.add(f"package{n}", os.urandom(1000)) for n in range(20)]
    store.fetch(files, mirror.mirrors)
    assert set(store.root.glob("??/*")) == {store.path(file.sha256) for file in files}


def test_a_file_that_is_here_is_not_asked_for_again(store, mirror):
    file = mirror.add("bash", CONTENT)
    store.fetch([file], mirror.mirrors)
    store.fetch([file], mirror.mirrors)
    assert len(mirror.requests) == 1


def test_two_names_of_the_same_content_are_fetched_once(store, mirror):
    store.fetch([mirror.add("one", CONTENT), mirror.add("two", CONTENT)], mirror.mirrors)
    assert len(mirror.requests) == 1


def test_files_are_fetched_in_parallel(store, mirror):
    everyone = threading.Barrier(4, timeout=10)
    mirror.always.before = everyone.wait  # no request is answered until four are open
    store.fetch([mirror.add(f"package{n}", os.urandom(1000)) for n in range(8)], mirror.mirrors, workers=4)


def test_an_empty_list_needs_no_mirror(store):
    store.fetch([], NOWHERE)


def test_characters_that_urls_treat_specially_arrive_as_they_are(store, mirror):
    mirror.contents["/debian/pool/libstdc%2B%2B6_12~rc1.deb"] = CONTENT
    digest = hashlib.sha256(CONTENT).hexdigest()
    store.fetch(
        [LockedFile("base", "deb", "x", "1", "debian:pool/libstdc++6_12~rc1.deb", 100_000, digest)], mirror.mirrors
    )


def test_a_wheel_is_found_through_the_page_of_its_project(store, mirror):
    name = "Demo_Pkg-1.0-py3-none-any.whl"
    mirror.contents["/simple/demo-pkg/"] = f'<a href="../../files/{name}">{name}</a>'.encode()
    mirror.contents[f"/files/{name}"] = CONTENT
    wheel = LockedFile("python", "wheel", "demo", "1.0", f"pypi:{name}", 100_000, hashlib.sha256(CONTENT).hexdigest())
    store.fetch([wheel], mirror.mirrors)
    assert store.has(wheel)


def test_offline_works_with_everything_here(store, mirror):
    file = mirror.add("bash", CONTENT)
    store.fetch([file], mirror.mirrors)
    store.fetch([file], NOWHERE, offline=True)


def test_offline_says_how_many_files_are_missing_and_the_first(store, mirror):
    files = [mirror.add("bash", CONTENT), mirror.add("dash", b"small")]
    with pytest.raises(RigforgeError, match=r"2 locked files .* debian:pool/bash\.deb") as failure:
        store.fetch(files, mirror.mirrors, offline=True)
    assert "--offline" in failure.value.hint
    assert not mirror.requests


def test_a_mirror_directory_is_used_before_any_server(store, mirror, tmp_path):
    here, elsewhere = mirror.add("bash", CONTENT), mirror.add("dash", b"dash")
    path = tmp_path / "vendor/debian/pool/bash.deb"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    store.fetch([here, elsewhere], Mirrors(mirror.mirrors.urls, tmp_path / "vendor"))
    assert store.has(here)
    assert store.has(elsewhere)
    assert [request.path for request in mirror.requests] == ["/debian/pool/dash.deb"]


def test_what_is_done_to_the_mirror_directory_later_does_not_reach_the_store(store, tmp_path):
    path = tmp_path / "vendor/debian/bash.deb"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    file = LockedFile("base", "deb", "bash", "1", "debian:bash.deb", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    store.fetch([file], Mirrors({}, tmp_path / "vendor"))
    path.write_bytes(b"changed")
    assert store.path(file.sha256).read_bytes() == CONTENT


def test_an_archive_on_this_machine_is_read_by_its_path(store, tmp_path):
    (tmp_path / "my archive").mkdir()
    (tmp_path / "my archive/bash.deb").write_bytes(CONTENT)
    file = LockedFile("base", "deb", "bash", "1", "debian:bash.deb", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    store.fetch([file], Mirrors({"debian": (tmp_path / "my archive").as_uri()}))
    assert store.path(file.sha256).read_bytes() == CONTENT


def test_the_proxy_that_the_environment_names_is_used(store, mirror, monkeypatch):
    monkeypatch.setenv("http_proxy", mirror.url)
    monkeypatch.setenv("no_proxy", "")
    file = mirror.add("bash", CONTENT)
    store.fetch([file], Mirrors({"debian": "http://archive.invalid/debian"}))
    assert store.has(file)


def test_an_object_that_lost_its_data_in_a_power_cut_is_fetched_again(store, mirror):
    file = mirror.add("bash", CONTENT)
    store.path(file.sha256).parent.mkdir(parents=True)
    store.path(file.sha256).touch()
    assert not store.has(file)
    store.fetch([file], mirror.mirrors)
    assert store.path(file.sha256).read_bytes() == CONTENT


def test_a_store_that_cannot_be_written_is_named():
    with pytest.raises(RigforgeError, match=r"cannot use /sys") as failure:
        Store(Path("/sys/kernel/rigforge")).fetch(
            [LockedFile("base", "deb", "x", "1", "debian:x.deb", 1, "0" * 64)], NOWHERE
        )
    assert "RIGFORGE_HOME" in failure.value.hint
