"""What verifies, what is told of the rest, and that plain minisign and sha256sum agree."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from rigforge.attest.minisign import PublicKey, SecretKey
from rigforge.attest.signature import sign, verify
from rigforge.errors import RigforgeError
from tests.attest import signing
from tests.attest.signing import Pair, alter, beside, plain


def refused(target: Path, public: PublicKey) -> str:
    with pytest.raises(RigforgeError) as error:
        verify(target, public)
    assert error.value.hint
    return error.value.message


@pytest.mark.parametrize("ending", [".iso", ".sha256", ".cdx.json", ".intoto.json"])
def test_any_file_of_a_build_stands_for_it(iso: Path, secret: SecretKey, public: PublicKey, ending: str) -> None:
    sign(beside(iso, ending), secret, "")
    assert f"signed by key {public.id}" in verify(beside(iso, ending), public).summary


def test_a_layout_is_verified_with_all_its_blobs(signed_layout: Path, public: PublicKey) -> None:
    said = verify(signed_layout, public).summary
    assert said.startswith(
        f"debian-12 and all its blobs are as listed in debian-12.sha256, signed by key {public.id} ("
    )


def test_a_layout_can_be_named_from_inside(
    signed_layout: Path, public: PublicKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(signed_layout)
    assert verify(Path(), public) == verify(signed_layout, public)


def test_plain_minisign_and_sha256sum_say_the_same(signed_layout: Path, keys: Pair) -> None:
    folder = signed_layout.parent
    for file in ("debian-12.sha256", "debian-12.intoto.json"):
        command = ["minisign", "-V", "-p", str(keys.public), "-m", file]
        assert "verified" in subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    assert subprocess.run(["sha256sum", "--check", "debian-12.sha256"], cwd=folder, capture_output=True).returncode == 0


def test_a_signature_of_plain_minisign_is_as_good(iso: Path, keys: Pair, public: PublicKey) -> None:
    plain(keys, beside(iso, ".sha256"))
    assert "timestamp:" in verify(iso, public).comment


def test_the_iso_alone_is_enough_beside_its_checksum_file(signed_iso: Path, public: PublicKey) -> None:
    beside(signed_iso, ".cdx.json").unlink()
    assert verify(signed_iso, public)


def test_a_link_is_listed_under_its_own_name(signed_iso: Path, tmp_path: Path, public: PublicKey) -> None:
    kept = tmp_path / "kept-elsewhere"
    signed_iso.rename(kept)
    signed_iso.symlink_to(kept)
    assert verify(signed_iso, public)


def test_an_altered_iso_is_named(signed_iso: Path, public: PublicKey) -> None:
    alter(signed_iso)
    assert (
        refused(signed_iso, public) == f"not as rigforge-debian-12.sha256 lists it:\n  {signed_iso} has other content"
    )
    assert f"{signed_iso} has other content" in refused(beside(signed_iso, ".sha256"), public)


def test_an_altered_checksum_file_is_not_what_was_signed(signed_iso: Path, public: PublicKey) -> None:
    alter(signed_iso)
    checksums = beside(signed_iso, ".sha256")
    signing.write_sums(checksums, signed_iso)
    assert refused(signed_iso, public) == f"{checksums} was altered: it is not what key {public.id} signed"


def test_a_checksum_file_that_lost_the_line_is_the_altered_one(signed_iso: Path, public: PublicKey) -> None:
    checksums = beside(signed_iso, ".sha256")
    signing.write_sums(checksums, beside(signed_iso, ".cdx.json"))
    assert refused(signed_iso, public) == f"{checksums} was altered: it is not what key {public.id} signed"


def test_an_altered_provenance_is_not_what_was_signed(signed_iso: Path, public: PublicKey) -> None:
    provenance = beside(signed_iso, ".intoto.json")
    alter(provenance)
    assert refused(provenance, public) == f"{provenance} was altered: it is not what key {public.id} signed"


def test_an_altered_index_is_named(signed_layout: Path, public: PublicKey) -> None:
    alter(signed_layout / "index.json")
    assert f"{signed_layout}/index.json has other content" in refused(signed_layout, public)


def test_every_altered_or_missing_blob_is_found(signed_layout: Path, public: PublicKey) -> None:
    blobs = sorted((signed_layout / "blobs/sha256").iterdir())
    assert len(blobs) == 2 + 2 * 2  # two layers, and a manifest and a configuration of each image
    for blob in blobs:
        content = blob.read_bytes()
        alter(blob)
        assert f"{blob} has other content" in refused(signed_layout, public)
        blob.unlink()
        assert f"{blob} is missing" in refused(signed_layout.with_name("debian-12.sha256"), public)
        blob.write_bytes(content)
    assert verify(signed_layout, public)


def test_a_build_that_is_not_signed_is_told(iso: Path, public: PublicKey) -> None:
    checksums = beside(iso, ".sha256")
    assert refused(iso, public) == f"{checksums} is not signed: there is no rigforge-debian-12.sha256.minisig beside it"


def test_both_keys_are_named_where_another_one_signed(
    signed_iso: Path, public: PublicKey, keys: Pair, other_keys: Pair
) -> None:
    asked = PublicKey.read(other_keys.base64)
    expected = f"is signed by key {keys.id}, not by key {other_keys.id}"
    assert refused(signed_iso, asked) == f"{beside(signed_iso, '.sha256')} {expected}"


def test_a_signature_under_a_forged_key_id_is_refused(
    signed_iso: Path, public: PublicKey, keys: Pair, other_keys: Pair
) -> None:
    """The id is part of no signature: whoever signs with another key can write down ours."""
    signature = beside(signed_iso, ".sha256.minisig")
    plain(other_keys, beside(signed_iso, ".sha256"))
    lines = signature.read_text().splitlines()
    content = base64.b64decode(lines[1])
    lines[1] = base64.b64encode(content[:2] + base64.b64decode(keys.base64)[2:10] + content[10:]).decode()
    signature.write_text("\n".join(lines) + "\n")
    assert "was altered" in refused(signed_iso, public)


def test_an_altered_trusted_comment_is_told(signed_iso: Path, public: PublicKey) -> None:
    signature = beside(signed_iso, ".sha256.minisig")
    signature.write_text(signature.read_text().replace("stack:debian-12", "stack:other"))
    assert refused(signed_iso, public) == f"the trusted comment in {signature} was altered"


@pytest.mark.parametrize("content", ["", "rubbish", "untrusted comment: x\nRWQ=\n"])
def test_what_is_no_signature_is_told(signed_iso: Path, public: PublicKey, content: str) -> None:
    signature = beside(signed_iso, ".sha256.minisig")
    signature.write_text(content)
    assert refused(signed_iso, public) == f"{signature} is not a signature of minisign"


def test_half_a_signature_is_told(signed_iso: Path, public: PublicKey) -> None:
    signature = beside(signed_iso, ".sha256.minisig")
    signature.write_text("".join(signature.read_text().splitlines(keepends=True)[:2]))
    assert refused(signed_iso, public).startswith(f"{signature} cannot be checked: ")


def test_the_signed_provenance_of_another_build_does_not_pass_under_this_name(
    tmp_path: Path, signed_iso: Path, secret: SecretKey, public: PublicKey
) -> None:
    sign(signing.iso(tmp_path / "other", "rigforge-other"), secret, "")
    for file in (tmp_path / "other").glob("*.intoto.json*"):
        file.rename(signed_iso.parent / file.name.replace("-other", "-debian-12"))
    provenance = beside(signed_iso, ".intoto.json")
    assert refused(provenance, public) == f"{provenance} was signed under another name: rigforge-other.intoto.json"


def test_the_signed_checksum_file_of_another_build_does_not_list_this_one(
    tmp_path: Path, iso: Path, keys: Pair, public: PublicKey
) -> None:
    """Signed by minisign alone and without the name of the file in the comment, which is the worst case."""
    checksums = beside(iso, ".sha256")
    beside(signing.iso(tmp_path / "other", "rigforge-other"), ".sha256").rename(checksums)
    plain(keys, checksums, "-t", "ours")
    assert refused(iso, public) == f"{checksums} does not list rigforge-debian-12.iso"


def test_a_file_without_checksum_file_is_told(signed_iso: Path, public: PublicKey) -> None:
    beside(signed_iso, ".sha256").unlink()
    assert refused(signed_iso, public).startswith(f"no checksum file for {signed_iso}: ")


def test_a_layout_without_checksum_file_is_told(signed_layout: Path, public: PublicKey) -> None:
    signed_layout.with_name("debian-12.sha256").unlink()
    assert refused(signed_layout, public).startswith(f"no checksum file for {signed_layout}: ")


def test_what_is_not_there_is_told(tmp_path: Path, public: PublicKey) -> None:
    assert refused(tmp_path / "none.iso", public) == f"there is no file {tmp_path}/none.iso"
    assert refused(tmp_path / "none.intoto.json", public) == f"there is no file {tmp_path}/none.intoto.json"


def test_a_folder_that_is_no_layout_is_told(tmp_path: Path, public: PublicKey) -> None:
    assert refused(tmp_path, public) == f"{tmp_path} is not an OCI layout: it has no index.json"


def test_without_minisign_its_package_is_named(
    signed_iso: Path, public: PublicKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rigforge.process.minimal_environment", lambda extra=None: {"PATH": "/nowhere"})
    with pytest.raises(RigforgeError, match="minisign is not installed") as error:
        verify(signed_iso, public)
    assert "apt-get install minisign" in error.value.hint
