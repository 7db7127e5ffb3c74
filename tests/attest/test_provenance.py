"""What a provenance says, and what it keeps to itself."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as Message

from rigforge.attest.provenance import REVISION, git_revision, provenance, site_sha256
from rigforge.layers.plan import plan
from rigforge.lock.model import to_text
from rigforge.stack.load import load
from rigforge.stack.model import Stack
from tests.attest.built_layers import FILES, LOCK

SUBJECTS = {"rigforge-debian-12.iso": "ab" * 32, "rigforge-debian-12.cdx.json": "cd" * 32}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGqqPSJzRZIlLw4VGhDFVUO0M6N1tBAwWeKDLkjnGOF3 ada@lab"
HASH = "$6$saltsalt$" + "a" * 86
OWNERS = (
    "hostname=secretive-host",
    "user=countess",
    f"ssh_key={KEY}",
    f"machine.password_hash={HASH}",
    "storage.layout=luks",
    "storage.passphrase=a long secret",
    "install.late_commands=['curl secretive-server']",
)


def stack(*sets: str) -> Stack:
    return load("debian-12", sets=sets)


def text_for(*sets: str) -> str:
    asked = stack(*sets)
    return provenance(SUBJECTS, asked, LOCK, plan(asked, LOCK), site_sha256(asked))


def definition(*sets: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text_for(*sets))["predicate"]["buildDefinition"]
    return found


def test_in_totos_own_classes_take_it() -> None:
    message = json_format.Parse(text_for(), Message())
    Statement.copy_from_pb(message).validate()
    predicate = json_format.ParseDict(json_format.MessageToDict(message.predicate), Provenance())
    assert predicate.build_definition.build_type.startswith("https://")
    assert predicate.run_details.builder.id
    for descriptor in predicate.build_definition.resolved_dependencies:
        ResourceDescriptor.copy_from_pb(descriptor).validate()
        assert descriptor.digest["sha256"]


def test_subjects_are_the_artifacts() -> None:
    subjects = json.loads(text_for())["subject"]
    assert {one["name"]: one["digest"]["sha256"] for one in subjects} == SUBJECTS


def test_dependencies_are_the_lock_and_every_locked_file_once() -> None:
    first, *others = definition()["resolvedDependencies"]
    assert first == {"name": "lock", "digest": {"sha256": hashlib.sha256(to_text(LOCK).encode()).hexdigest()}}
    # The layers module and host have one file in common.
    assert [(one["uri"], one["digest"]["sha256"]) for one in others] == sorted({(f.file, f.sha256) for f in FILES})


def test_an_image_depends_on_the_files_of_its_layers_only() -> None:
    base = [layer for layer in plan(stack(), LOCK) if layer.name == "base"]
    dependencies = json.loads(provenance(SUBJECTS, stack(), LOCK, base))["predicate"]["buildDefinition"]
    uris = {one["uri"] for one in dependencies["resolvedDependencies"][1:]}
    assert uris == {file.file for file in FILES if file.layer == "base"}


def test_an_image_has_nothing_of_a_site_and_not_even_its_digest() -> None:
    text = provenance(SUBJECTS, stack(*OWNERS), LOCK, plan(stack(), LOCK))
    assert json.loads(text)["predicate"]["buildDefinition"]["externalParameters"] == {"stack": "debian-12"}


def test_the_stack_is_named() -> None:
    assert definition()["externalParameters"]["stack"] == "debian-12"


def test_nothing_of_the_site_is_in_it() -> None:
    text = text_for(*OWNERS)
    for value in ("secretive-host", "countess", KEY.split()[1], HASH, "a long secret", "secretive-server"):
        assert value not in text


def test_it_has_no_time_and_is_the_same_every_time() -> None:
    assert text_for() == text_for()
    assert "startedOn" not in text_for()
    assert "metadata" not in json.loads(text_for())["predicate"]["runDetails"]


@pytest.mark.parametrize("setting", ["hostname=other", "user=ada", "disk=/dev/sda", f"ssh_key={KEY}"])
def test_another_site_has_another_digest(setting: str) -> None:
    assert site_sha256(stack(setting)) != site_sha256(stack())


def test_what_is_secret_cannot_be_guessed_from_the_digest() -> None:
    luks = ("storage.layout=luks", f"ssh_key={KEY}")
    one = stack(*luks, "storage.passphrase=first", f"machine.password_hash={HASH}")
    other = stack(*luks, "storage.passphrase=second")
    assert site_sha256(one) == site_sha256(other)


def test_the_owners_key_counts_by_its_certificate_and_not_by_its_place(tmp_path: Path) -> None:
    digests = []
    for folder, certificate in (("here", "one"), ("there", "one"), ("else", "another")):
        place = tmp_path / folder
        place.mkdir()
        (place / "mok.key").write_text("key")
        (place / "mok.pem").write_text(certificate)
        digests.append(
            site_sha256(stack(f"secure_boot.key={place / 'mok.key'}", f"secure_boot.certificate={place / 'mok.pem'}"))
        )
    assert digests[0] == digests[1] != digests[2]


def test_the_revision_is_that_of_the_checkout(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=x", "-c", "user.email=x@localhost")
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    assert git_revision(tmp_path) == ""
    git("init", "--quiet")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "--quiet", "--message=one")
    commit = git("rev-parse", "HEAD")
    assert git_revision(tmp_path) == commit
    (tmp_path / "file").write_text("two")
    assert git_revision(tmp_path) == f"{commit}-dirty"


def test_a_revision_that_was_settled_before_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REVISION, "c0ffee")
    assert definition()["internalParameters"]["revision"] == "c0ffee"
    monkeypatch.setenv(REVISION, "")
    assert "revision" not in definition()["internalParameters"]


def test_a_folder_inside_somebody_elses_checkout_has_no_revision(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / "inside").mkdir()
    assert git_revision(tmp_path / "inside") == ""


def test_the_chosen_cards_are_a_parameter_of_the_build() -> None:
    chosen = definition('machine.gpus=["GeForce RTX 4090"]')["externalParameters"]
    assert chosen["gpus"] == ["GeForce RTX 4090"]
    without = definition()["externalParameters"]
    assert "gpus" not in without
    assert chosen["site"] != without["site"]


def test_images_are_of_no_site_and_of_no_cards() -> None:
    asked = stack('machine.gpus=["GeForce RTX 4090"]')
    assert "gpus" not in provenance(SUBJECTS, asked, LOCK, plan(asked, LOCK))


def test_no_layer_is_built_anew_for_other_cards() -> None:
    plans = [plan(asked, LOCK) for asked in (stack(), stack('machine.gpus=["GeForce RTX 4090"]'))]
    assert [layer.key for layer in plans[0]] == [layer.key for layer in plans[1]]
