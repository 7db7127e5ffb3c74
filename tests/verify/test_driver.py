"""How the files of a driver that is not the machine's own reach a container under test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.verify import driver


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An unpacked driver, as far as it is looked for."""
    folder = tmp_path / "root/usr/lib/x86_64-linux-gnu"
    folder.mkdir(parents=True)
    for library in ("libcuda", "libnvidia-ml"):
        (folder / f"{library}.so.535.309.01").touch()
    return tmp_path / "root"


def test_an_engine_that_reads_cdi_finds_the_driver_for_as_long_as_it_is_tested(root: Path, tmp_path: Path) -> None:
    specifications = tmp_path / "cdi"
    specifications.mkdir()
    with driver.offered(root, [str(tmp_path / "missing"), str(specifications)]) as name:
        (file,) = specifications.iterdir()
        found = json.loads(file.read_text())
        assert name == f"{found['kind']}=all"
        assert found["kind"] != "nvidia.com/gpu"
        assert [device["name"] for device in found["devices"]] == ["all"]
        mounted = [(mount["containerPath"], Path(mount["hostPath"])) for mount in found["containerEdits"]["mounts"]]
        assert mounted == driver.mounts(root) != []
    assert not list(specifications.iterdir())


def test_an_engine_that_reads_no_cdi_gets_none(root: Path, tmp_path: Path) -> None:
    for directories in ([], [str(tmp_path / "missing")]):
        with driver.offered(root, directories) as name:
            assert name == ""


def test_packages_without_a_driver_are_told(tmp_path: Path) -> None:
    with pytest.raises(RigforgeError, match="bring no libcuda"):
        driver.mounts(tmp_path)
