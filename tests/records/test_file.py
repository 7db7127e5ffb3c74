"""A locked file holds no value that could lead elsewhere."""

from __future__ import annotations

import pytest

from rigforge.errors import RigforgeError
from rigforge.records.file import LockedFile


def test_a_conda_package_is_of_one_of_the_two_subdirectories_that_there_are() -> None:
    place = "conda-forge:{}/python-3.11.9-h1_0.conda"
    for subdir in ("linux-64", "noarch"):
        LockedFile("python", "conda", "python", "3.11.9", place.format(subdir), 1, "a" * 64, "rig")
    for subdir in ("..", "linux-64/..", "/etc", "win-64", ""):
        with pytest.raises(RigforgeError, match="python: file: must be ROLE:linux-64/"):
            LockedFile("python", "conda", "python", "3.11.9", place.format(subdir), 1, "a" * 64, "rig")


def test_a_file_of_no_layer_or_no_kind_is_refused() -> None:
    for layer, kind in (("develop", "deb"), ("devel", "rpm")):
        with pytest.raises(RigforgeError, match="there is no layer"):
            LockedFile(layer, kind, "bash", "5", "debian:pool/bash.deb", 1, "a" * 64)


def test_a_name_and_a_path_are_those_of_its_archive() -> None:
    file = LockedFile("base", "deb", "bash", "5", "debian:pool/main/b/bash_5_amd64.deb", 1, "a" * 64)
    assert (file.basename, file.mirror_path) == ("bash_5_amd64.deb", "debian/pool/main/b/bash_5_amd64.deb")
