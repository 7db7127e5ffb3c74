"""One package whose files are not as they should be ends no report, no list of licences, no bill of materials."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from trees import SITE_PACKAGES, install_deb, install_wheel

from rigforge.artifacts.artifact import Result
from rigforge.artifacts.iso import Iso
from rigforge.artifacts.oci_images import OciImages
from rigforge.attest import licences
from rigforge.attest.licences import Licence
from rigforge.attest.sbom import Distribution
from rigforge.errors import RigforgeError
from rigforge.layers.build import Cache
from rigforge.report import verification
from rigforge.report.measure import owned_by_conda, owned_by_debs, owned_by_wheels

#: Bytes that are no text, no CSV, no JSON, no JSON of the right shape, no JSON of a bearable depth.
ODD = [b"\xff", b'"' + b"x" * 200_000, b"", b"\0", b"\n\n", b"[]", b"{}", b"null", b"[" * 100_000, b"7", b'{"name": 7}']


@pytest.mark.parametrize("content", ODD)
def test_the_size_of_other_packages_is_still_told(tmp_path: Path, content: bytes) -> None:
    install_wheel(tmp_path, "numpy", "2.0", {"numpy/core.py": 5})
    install_wheel(tmp_path, "odd", "1", {})
    (tmp_path / SITE_PACKAGES / "odd-1.dist-info/RECORD").write_bytes(content)
    assert owned_by_wheels(tmp_path, SITE_PACKAGES)[f"{SITE_PACKAGES}/numpy/core.py"] == ("wheel", "numpy")
    install_deb(tmp_path, "tool", {"/usr/bin/tool": 5})
    (tmp_path / "var/lib/dpkg/info/odd.list").write_bytes(content)
    assert owned_by_debs(tmp_path)["usr/bin/tool"] == ("deb", "tool")
    meta = tmp_path / "opt/conda/conda-meta"
    meta.mkdir(parents=True)
    (meta / "mkl.json").write_text(json.dumps({"name": "mkl", "files": ["lib/libmkl.so"], "license": "MIT"}))
    (meta / "a-odd.json").write_bytes(content)
    assert owned_by_conda(tmp_path)["opt/conda/lib/libmkl.so"] == ("conda", "mkl")
    assert licences.of_conda(sorted(meta.iterdir()))["mkl"] == (Licence("MIT", True),)


@pytest.mark.parametrize("content", ODD)
def test_the_licences_of_other_packages_are_still_told(tmp_path: Path, content: bytes) -> None:
    for name, text in (("numpy", b"Name: numpy\nLicense: MIT\n"), ("odd", content)):
        (tmp_path / f"{name}-1.dist-info").mkdir()
        (tmp_path / f"{name}-1.dist-info/METADATA").write_bytes(text)
    assert licences.of_wheels(tmp_path)["numpy"] == (Licence("MIT", True),)
    file = tmp_path / "usr/share/doc/odd/copyright"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    assert licences.of_package("odd", [tmp_path]) == ()


@pytest.mark.parametrize("odd", ['PRETTY_NAME="x', "NAME='", "\0", "no pair", "A=1=2"])
def test_a_line_of_os_release_that_nobody_asked_for(tmp_path: Path, odd: str) -> None:
    file = tmp_path / "usr/lib/os-release"
    file.parent.mkdir(parents=True)
    file.write_text(f'{odd}\nID=debian\nVERSION_ID="12"\n')
    assert Distribution.of([tmp_path]) == Distribution("debian", "12")
    file.write_text(odd)
    with pytest.raises(RigforgeError, match="no ID or no VERSION_ID"):
        Distribution.of([tmp_path])


@pytest.mark.parametrize("content", [*ODD, b'{"manifests": [{}]}', b'{"manifests": 3}'])
def test_an_index_of_images_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "images/smoke").mkdir(parents=True)
    (tmp_path / "images/smoke/index.json").write_bytes(content)
    assert OciImages().result(tmp_path / "images/smoke", Cache(tmp_path)) == Result()


@pytest.mark.parametrize("content", ODD)
def test_checksums_and_test_results_that_are_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rigforge-smoke.iso").write_bytes(b"iso")
    (tmp_path / "rigforge-smoke.sha256").write_bytes(content)
    (iso,) = Iso().result(tmp_path / "rigforge-smoke.iso", Cache(tmp_path)).digests
    assert iso.digest == ""
    place = tmp_path / "verify/smoke-bios"
    place.mkdir(parents=True)
    (place / verification.REPORT).write_bytes(content)
    (found,) = verification.find("smoke", tmp_path)
    assert isinstance(found, verification.Unfinished)
