"""What is written beside an artifact lists all of it, and is of one lock."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from built_layers import LOCK, build

from rigforge.artifacts.artifact import Bill, Build, Product, Subject
from rigforge.artifacts.iso import Iso
from rigforge.artifacts.oci_images import OciImages
from rigforge.attest import sidecars
from rigforge.layers.plan import Layer
from rigforge.records.checksums import parse, sha256
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.load import load


@pytest.fixture
def layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Layer, ...]:
    monkeypatch.setenv("RIGFORGE_HOME", str(tmp_path / "home"))
    return build(tmp_path / "home")[0]


def a_build(out: Path) -> Build:
    return Build(load("debian-12"), LOCK, Mirrors({}), out)


def an_iso(out: Path, layers: tuple[Layer, ...]) -> Product:
    iso = out / "rigforge-debian-12.iso"
    iso.write_bytes(b"an ISO")
    return Product(iso, True, layers, (Bill("rigforge-debian-12.cdx.json", Subject(iso.name, "system"), layers),))


def subjects(provenance: Path) -> dict[str, str]:
    statement = json.loads(provenance.read_text())
    return {subject["name"]: subject["digest"]["sha256"] for subject in statement["subject"]}


def test_an_iso_is_listed_with_its_sbom_and_provenance(tmp_path: Path, layers: tuple[Layer, ...]) -> None:
    sidecars.describe(Iso(), an_iso(tmp_path, layers), a_build(tmp_path))
    sums = parse((tmp_path / "rigforge-debian-12.sha256").read_text())
    assert {name.removeprefix("rigforge-debian-12") for name in sums} == {".iso", ".cdx.json", ".intoto.json"}
    assert sums == {name: sha256(tmp_path / name) for name in sums}
    provenance = tmp_path / "rigforge-debian-12.intoto.json"
    assert subjects(provenance) == {name: sums[name] for name in sums if name != provenance.name}
    assert "site" in provenance.read_text()


def test_a_layout_is_listed_by_its_index_and_attested_by_its_images(tmp_path: Path, layers: tuple[Layer, ...]) -> None:
    layout = tmp_path / "debian-12"
    layout.mkdir()
    (layout / "index.json").write_text("{}")
    bill = Bill("debian-12-base.cdx.json", Subject("debian-12:base", "image"), layers[:1])
    product = Product(layout, True, layers, (bill,), subjects={"debian-12:base": "ab" * 32})
    sidecars.describe(OciImages(), product, a_build(tmp_path))
    sums = parse((tmp_path / "debian-12.sha256").read_text())
    assert {*sums} == {"debian-12/index.json", "debian-12-base.cdx.json", "debian-12.intoto.json"}
    assert sums == {name: sha256(tmp_path / name) for name in sums}
    attested = subjects(tmp_path / "debian-12.intoto.json")
    assert attested == {"debian-12:base": "ab" * 32, bill.file: sums[bill.file]}
    assert '"site"' not in (tmp_path / "debian-12.intoto.json").read_text()


def test_it_is_there_only_whole_and_of_this_lock(tmp_path: Path, layers: tuple[Layer, ...]) -> None:
    product = an_iso(tmp_path, layers)
    assert not sidecars.described(Iso(), product.path, LOCK)
    sidecars.describe(Iso(), product, a_build(tmp_path))
    assert sidecars.described(Iso(), product.path, LOCK)
    assert not sidecars.described(Iso(), product.path, replace(LOCK, source_date_epoch=1))
    (tmp_path / "rigforge-debian-12.sha256").unlink()
    assert not sidecars.described(Iso(), product.path, LOCK)


def test_a_signature_of_what_was_there_before_goes(tmp_path: Path, layers: tuple[Layer, ...]) -> None:
    signature = tmp_path / "rigforge-debian-12.sha256.minisig"
    signature.touch()
    sidecars.describe(Iso(), an_iso(tmp_path, layers), a_build(tmp_path))
    assert not signature.exists()
