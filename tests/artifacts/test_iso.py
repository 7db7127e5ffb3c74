"""Our ISO is written once, gets new texts where only they have changed, and is made anew where it is damaged."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from rigforge.artifacts.artifact import CHECKSUMS, Build
from rigforge.artifacts.iso import Iso
from rigforge.artifacts.live_server_iso import LiveServerIso
from rigforge.artifacts.stamp import Stamp
from rigforge.build import make
from rigforge.errors import DamagedError, RigforgeError, UsageError
from rigforge.layers.build import Squashfs
from rigforge.lock.model import read
from rigforge.records.checksums import sha256, to_text
from rigforge.records.file import LockedFile
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.load import load

SETS = ("ssh_key=ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE2yTkv1Pbd0SHS0iWBn3GIiRXT8YmYBWkSrzMNv4hXK me",)


def a_build(out: Path, *sets: str, check: bool = False) -> Build:
    stack = load("smoke", sets=(*SETS, *sets))
    return Build(stack, read(stack.lock_path), Mirrors({}), out, check=check)


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the ISO; the layers are stand-ins, and are there."""
    monkeypatch.setenv("RIGFORGE_HOME", str(tmp_path / "home"))
    images = []
    for layer in ("base", "host", "medium"):
        file = tmp_path / "home/squashfs" / f"{layer}.squashfs"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(layer)
        images.append(Squashfs(layer, file, hashlib.sha256(layer.encode()).hexdigest(), 4096))
    boot = tmp_path / "boot"
    boot.mkdir()
    for name in ("vmlinuz", "initrd.img", "memtest.bin", "memtest.efi"):
        (boot / name).write_text(name)
    for name, size in (("bios.img", 30_000), ("boot_hybrid.img", 512), ("efi.img", 65_536)):
        (boot / name).write_bytes(bytes(size))
    monkeypatch.setattr("rigforge.artifacts.iso.squashed", lambda build, layers: tuple(images))
    monkeypatch.setattr("rigforge.artifacts.iso.boot_files", lambda layers, cache: boot)
    return tmp_path / "out"


def test_it_is_written_once_and_hashed_while_it_is(out: Path) -> None:
    first, second = (Iso().make(a_build(out)) for _ in range(2))
    assert (first.changed, second.changed) == (True, False)
    assert (first.path, first.sha256, second.sha256) == (out / "rigforge-smoke.iso", sha256(first.path), None)
    assert [(bill.file, bill.subject.name) for bill in first.bills] == [("rigforge-smoke.cdx.json", first.path.name)]


def test_another_document_is_written_into_it_with_the_bytes_of_a_new_one(out: Path) -> None:
    Iso().make(a_build(out))
    rewritten = Iso().make(a_build(out, "hostname=another"))
    assert (rewritten.changed, rewritten.sha256) == (True, None)
    assert sha256(rewritten.path) == Iso().make(a_build(out / "new", "hostname=another")).sha256


def test_a_damaged_one_is_found_by_a_check_alone_and_written_anew(out: Path) -> None:
    product = Iso().make(a_build(out))
    iso, digest = product.path, product.sha256
    assert digest
    Iso().beside(iso, CHECKSUMS).write_text(to_text({iso.name: digest}))
    stamp = Stamp.of(iso)
    assert stamp
    iso.write_bytes(iso.read_bytes()[:-1] + b"!")
    stamp.put(iso)  # as if the disk had changed it
    assert not Iso().make(a_build(out)).changed
    assert Iso().make(a_build(out, check=True)).sha256 == digest


def test_a_damaged_squashfs_does_not_get_onto_it(out: Path, tmp_path: Path) -> None:
    (tmp_path / "home/squashfs/host.squashfs").write_text("h0st")
    with pytest.raises(DamagedError):
        Iso().make(a_build(out))
    assert not (out / "rigforge-smoke.iso").exists()


def test_what_is_attested_is_written_where_it_is_missing_or_of_another_lock(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def describe(artifact: Iso, product: object, build: Build) -> None:
        written.append(artifact.path(build.stack.name, build.out).name)

    written: list[str] = []
    monkeypatch.setattr("rigforge.attest.sidecars.describe", describe)
    monkeypatch.setattr("rigforge.attest.sidecars.described", lambda artifact, path, lock: len(written) > 1)
    for _ in range(3):
        make(Iso(), a_build(out))
    assert written == ["rigforge-smoke.iso"] * 2
    assert capsys.readouterr().err.count("rigforge-smoke.iso: unchanged, not read again") == 2


def test_options_of_the_other_iso_are_refused(out: Path) -> None:
    with pytest.raises(UsageError, match="stack smoke is not made from an ISO"):
        Iso(Path("ubuntu.iso")).make(a_build(out))
    with pytest.raises(UsageError, match=r"medium\.source is for Canonical's installer"):
        smoke = a_build(out)
        medium = smoke.stack.medium.model_copy(update={"source": "fsimage"})
        Iso().make(replace(smoke, stack=smoke.stack.model_copy(update={"medium": medium})))


def test_canonicals_iso_is_looked_at_before_anything_is_built(out: Path, tmp_path: Path) -> None:
    smoke, stack = a_build(out), load("ubuntu-24.04", sets=SETS)
    medium = LockedFile("medium", "iso", "live-server", "24.04.4", "ubuntu-releases:noble/u.iso", 1, "ab" * 32)
    lock = replace(smoke.lock, files=(*smoke.lock.files, medium))
    with pytest.raises(RigforgeError, match=r"u\.iso: there is no such file"):
        LiveServerIso(tmp_path / "u.iso").make(replace(smoke, stack=stack, lock=lock))
