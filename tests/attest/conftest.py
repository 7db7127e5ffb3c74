"""Key pairs, and small builds, signed and not."""

from __future__ import annotations

from pathlib import Path

import pytest

from rigforge.attest.minisign import PublicKey, SecretKey
from rigforge.attest.signature import sign
from tests.attest import signing
from tests.attest.signing import Pair


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return signing.pair(tmp_path_factory.mktemp("keys"), "ours")


@pytest.fixture(scope="session")
def other_keys(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return signing.pair(tmp_path_factory.mktemp("keys"), "theirs")


@pytest.fixture(scope="session")
def locked_keys(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """With a passphrase."""
    return signing.pair(tmp_path_factory.mktemp("keys"), "locked", signing.PASSPHRASE)


@pytest.fixture
def secret(keys: Pair) -> SecretKey:
    return SecretKey.read(keys.secret)


@pytest.fixture
def public(keys: Pair) -> PublicKey:
    return PublicKey.read(str(keys.public))


@pytest.fixture
def iso(tmp_path: Path) -> Path:
    return signing.iso(tmp_path / "out")


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    return signing.layout(tmp_path / "out")


@pytest.fixture
def signed_iso(iso: Path, secret: SecretKey) -> Path:
    sign(iso, secret, "")
    return iso


@pytest.fixture
def signed_layout(layout: Path, secret: SecretKey) -> Path:
    sign(layout, secret, "")
    return layout
