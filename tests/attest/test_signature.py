"""What is signed, and what signing refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rigforge.attest.listing import AlteredError
from rigforge.attest.minisign import PublicKey, SecretKey
from rigforge.attest.signature import sign, verify
from rigforge.errors import RigforgeError
from rigforge.images.oci import read_index
from tests.attest import signing
from tests.attest.signing import LOCK, alter, beside


def test_the_checksum_file_and_the_provenance_are_signed(iso: Path, secret: SecretKey) -> None:
    made = sign(iso, secret, "")
    assert made == [beside(iso, ".intoto.json.minisig"), beside(iso, ".sha256.minisig")]
    assert {path for path in iso.parent.iterdir() if path.suffix == ".minisig"} == set(made)


def test_the_trusted_comment_names_file_stack_and_lock_and_no_time(signed_iso: Path, public: PublicKey) -> None:
    verified = verify(signed_iso, public)
    assert verified.comment == f"file:rigforge-debian-12.sha256\tstack:debian-12\tlock:sha256:{LOCK}"


def test_the_same_build_and_key_give_the_same_signature(tmp_path: Path, secret: SecretKey) -> None:
    first, second = (sign(signing.iso(tmp_path / name), secret, "") for name in ("one", "two"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_what_does_not_fit_is_not_signed(iso: Path, secret: SecretKey) -> None:
    alter(beside(iso, ".cdx.json"))
    with pytest.raises(AlteredError, match=r"cdx\.json has other content"):
        sign(iso, secret, "")
    assert [*iso.parent.glob("*.minisig")] == []


def test_a_layout_with_an_altered_blob_is_not_signed(layout: Path, secret: SecretKey) -> None:
    alter(layout / "blobs/sha256" / read_index(layout)[0]["digest"].removeprefix("sha256:"))
    with pytest.raises(AlteredError, match=r"blobs/sha256/[0-9a-f]{64} has other content"):
        sign(layout, secret, "")
    assert [*layout.parent.glob("*.minisig")] == []


def test_what_is_not_there_is_not_signed(iso: Path, secret: SecretKey) -> None:
    iso.unlink()
    with pytest.raises(AlteredError, match=r"rigforge-debian-12\.iso is missing"):
        sign(beside(iso, ".sha256"), secret, "")
    assert [*iso.parent.glob("*.minisig")] == []


@pytest.mark.parametrize("text", ["", "rubbish\n", f"{'0' * 64}  a\n{'1' * 64}  a\n"], ids=["empty", "form", "twice"])
def test_what_is_no_list_of_checksums_is_not_signed(iso: Path, secret: SecretKey, text: str) -> None:
    beside(iso, ".sha256").write_text(text)
    with pytest.raises(RigforgeError, match=r"is not a list of sha256sum\(1\)"):
        sign(beside(iso, ".sha256"), secret, "")


def test_a_build_without_provenance_is_not_signed(iso: Path, secret: SecretKey) -> None:
    signing.write_sums(beside(iso, ".sha256"), iso)
    with pytest.raises(RigforgeError, match=r"lists no files NAME\.intoto\.json"):
        sign(iso, secret, "")


@pytest.mark.parametrize("text", ["{}", "[]", "rubbish", json.dumps({"predicate": {"buildDefinition": []}})])
def test_a_provenance_that_names_no_lock_is_not_signed(iso: Path, secret: SecretKey, text: str) -> None:
    provenance = beside(iso, ".intoto.json")
    provenance.write_text(text)
    signing.write_sums(beside(iso, ".sha256"), iso, provenance)
    with pytest.raises(RigforgeError, match="does not say which stack and lock"):
        sign(iso, secret, "")


def test_a_provenance_of_another_iso_is_not_signed(iso: Path, secret: SecretKey) -> None:
    iso.write_text("built anew")
    signing.write_sums(beside(iso, ".sha256"), iso, beside(iso, ".intoto.json"))
    with pytest.raises(RigforgeError, match=r"intoto\.json is about another rigforge-debian-12\.iso than this one"):
        sign(iso, secret, "")


def test_a_failed_signature_leaves_the_old_one(signed_iso: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in signed_iso.parent.iterdir()}
    with pytest.raises(RigforgeError, match=r"gone\.key: No such file"):
        sign(signed_iso, SecretKey(tmp_path / "gone.key", has_passphrase=False), "")
    assert {path: path.read_bytes() for path in signed_iso.parent.iterdir()} == before


def test_a_rebuilt_iso_is_signed_anew(tmp_path: Path, secret: SecretKey, public: PublicKey) -> None:
    built = signing.iso(tmp_path)
    sign(built, secret, "")
    signing.iso(tmp_path, content="built anew")
    with pytest.raises(RigforgeError, match="was altered"):
        verify(built, public)
    sign(built, secret, "")
    assert verify(built, public)
