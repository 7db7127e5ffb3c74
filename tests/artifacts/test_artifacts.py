"""The list of artifacts: which a stack has, which a path is, and where each is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rigforge import artifacts
from rigforge.artifacts import ARTIFACTS, install_iso
from rigforge.artifacts.iso import Iso
from rigforge.artifacts.live_server_iso import LiveServerIso
from rigforge.artifacts.oci_images import OciImages
from rigforge.errors import UsageError
from rigforge.lock.model import Lock, read
from rigforge.records.file import LockedFile
from rigforge.stack.load import load

MEDIUM = LockedFile("medium", "iso", "live-server", "24.04.4", "ubuntu-releases:noble/u.iso", 1, "ab" * 32)
OURS = Lock("smoke", "", 0, {}, (), ())
CANONICALS = replace(OURS, files=(MEDIUM,))


def test_a_stack_has_one_install_iso_by_its_lock() -> None:
    for lock, iso in ((OURS, Iso), (CANONICALS, LiveServerIso)):
        assert [type(artifact) for artifact in artifacts.of(lock) if artifact.task == "build-iso"] == [iso]
        assert type(install_iso(lock)) is iso
    base = Path("ubuntu.iso")
    assert install_iso(OURS, base).base_iso == install_iso(CANONICALS, base).base_iso == base


def test_each_says_what_the_rest_asks() -> None:
    for artifact in ARTIFACTS:
        assert artifact.task and artifact.noun and artifact.name and artifact.of_site in (True, False)
        assert bool(artifact.index) != bool(artifact.suffix and artifact.figure and artifact.title)


def test_no_two_that_a_stack_has_are_in_one_place() -> None:
    for lock in (OURS, CANONICALS):
        places = [str(artifact.path("smoke", Path("out") / artifact.folder)) for artifact in artifacts.of(lock)]
        assert len(places) == len(set(places)), places
        assert {"out/rigforge-smoke.iso", "out/images/smoke"} <= set(places)


def test_what_lies_beside_has_its_name_dots_and_all() -> None:
    iso, layout = (artifact.path("debian-12.9", Path("out")) for artifact in (Iso(), OciImages()))
    assert Iso().beside(iso, ".sha256") == Path("out/rigforge-debian-12.9.sha256")
    assert OciImages().beside(layout, ".sha256") == Path("out/debian-12.9.sha256")


def test_a_path_is_known_by_its_end_or_its_index(tmp_path: Path) -> None:
    for name in ("a.iso", "layout/index.json", "a.cdx.json", "folder.iso/file", "other/file"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    kinds = {path.name: artifacts.at(path) for path in tmp_path.iterdir()}
    assert isinstance(kinds.pop("a.iso"), Iso)
    assert isinstance(kinds.pop("layout"), OciImages)
    assert set(kinds.values()) == {None}


def test_each_says_which_layers_and_files_it_takes() -> None:
    stack = load("debian-12")
    lock = read(stack.lock_path)
    assert {"boot", "medium"} <= {layer.name for layer in Iso().layers(stack, lock)}
    assert [layer.name for layer in OciImages("base").layers(stack, lock)] == ["base", "cuda", "doctor"]
    assert (Iso().files(lock), LiveServerIso().files(CANONICALS)) == ((), (MEDIUM,))
    assert LiveServerIso(Path("ubuntu.iso")).files(CANONICALS) == ()


def test_a_compression_that_is_unknown_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown compression: xz"):
        OciImages(compression="xz")
