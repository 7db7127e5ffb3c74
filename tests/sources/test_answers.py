"""All roles are asked before the first byte is downloaded; one error names those that do not answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.records.file import LockedFile
from rigforge.sources.answers import Place, check, places, silence
from rigforge.sources.mirrors import Mirrors
from tests.sources.serving import NOBODY, served

DEB = LockedFile("base", "deb", "bash", "5", "debian:pool/main/b/bash/bash_5_amd64.deb", 3, "0" * 64)
OTHER = LockedFile("base", "deb", "dash", "5", "debian:pool/main/d/dash/dash_5_amd64.deb", 3, "1" * 64)
WHEEL = LockedFile("python", "wheel", "demo-pkg", "1.0", "pypi:Demo_Pkg-1.0-py3-none-any.whl", 3, "2" * 64)


def test_each_role_is_asked_once_for_a_file_of_its_own() -> None:
    assert places([DEB, OTHER, WHEEL], Mirrors({})) == (
        Place("debian", "pool/main/b/bash/bash_5_amd64.deb"),
        Place("pypi", "demo-pkg/"),
    )


def test_the_archive_of_a_file_that_the_mirror_directory_has_is_not_asked(tmp_path: Path) -> None:
    for file in (DEB, WHEEL):
        path = tmp_path / file.mirror_path
        path.parent.mkdir(parents=True)
        path.touch()
    assert places([DEB, WHEEL], Mirrors({}, tmp_path)) == ()
    assert places([DEB, OTHER], Mirrors({}, tmp_path)) == (Place("debian", "pool/main/d/dash/dash_5_amd64.deb"),)


def test_a_file_that_is_not_there_is_an_answer(tmp_path: Path) -> None:
    with served(tmp_path) as url:
        check([Place("debian", "pool/gone.deb")], Mirrors({"debian": url}))


def test_a_folder_answers_when_it_is_there(tmp_path: Path) -> None:
    assert silence(Place("debian", "dists"), Mirrors({"debian": f"file:{tmp_path}"})) == ""
    assert silence(Place("debian", "dists"), Mirrors({"debian": f"file:{tmp_path}/none"})).endswith("no such folder")


def test_a_lock_of_another_host_names_a_role_that_nobody_serves_here(tmp_path: Path) -> None:
    mirrors = Mirrors({"debian": f"file:{tmp_path}"}, config=tmp_path / "config.toml")
    with pytest.raises(RigforgeError, match="1 of 2 archives") as failure:
        check([Place("debian", "x"), Place("corporate", "pool/x.deb")], mirrors)
    assert "nothing on this machine says where the archive `corporate` is" in failure.value.message
    assert "these answer: debian" in failure.value.message
    assert f'{tmp_path}/config.toml, in the table [mirrors]: corporate = "https://HOST/…"' in failure.value.hint


def test_a_password_in_a_url_is_not_shown() -> None:
    reason = silence(Place("debian", "x"), Mirrors({"debian": NOBODY.replace("//", "//me:secret@")}))
    assert reason == f"{NOBODY}: ConnectionError"
