"""Which keys are taken, and what is told of those that cannot be."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rigforge import paths
from rigforge.attest.keys import PUBLIC_VARIABLE, SECRET_VARIABLE, passphrase, public_key, secret_key
from rigforge.attest.minisign import PublicKey, SecretKey, sign, verify
from rigforge.errors import RigforgeError
from tests.attest.signing import PASSPHRASE, Pair


@pytest.fixture(autouse=True)
def bare_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who has configured nothing."""
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)
    monkeypatch.delenv(PUBLIC_VARIABLE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def configure(text: str) -> Path:
    config = paths.config_file()
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(f"[signing]\n{text}\n")
    return config


def told(ask: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(RigforgeError) as error:
        ask(*arguments)
    assert error.value.hint
    return error.value.message


def test_a_public_key_is_a_file_or_base64(keys: Pair, tmp_path: Path) -> None:
    bare = tmp_path / "bare.pub"
    bare.write_text(keys.base64)
    found = {public_key(given) for given in (str(keys.public), keys.base64, str(bare))}
    assert found == {PublicKey(keys.base64)}


def test_ids_are_those_that_minisign_shows(keys: Pair) -> None:
    assert public_key(keys.base64).id == keys.id


def test_leading_zeros_of_an_id_are_left_out_as_minisign_does() -> None:
    key = "RWSj/BLnriO6DFE1dY8Sd7hp4UHe23fMhfuzZH5ERABdjRp29c7AiTDn"
    assert public_key(key).id == "CBA23AEE712FCA3"


def test_the_command_line_goes_before_the_environment_and_that_before_the_configuration(
    keys: Pair, locked_keys: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(f'key = "{keys.secret}"\npublic_key = "{keys.base64}"')
    assert (secret_key().path, public_key().id) == (keys.secret, keys.id)
    monkeypatch.setenv(SECRET_VARIABLE, str(locked_keys.secret))
    monkeypatch.setenv(PUBLIC_VARIABLE, locked_keys.base64)
    assert (secret_key().path, public_key().id) == (locked_keys.secret, locked_keys.id)
    assert (secret_key(str(keys.secret)).path, public_key(keys.base64).id) == (
        keys.secret,
        keys.id,
    )


def test_a_path_in_the_configuration_counts_from_its_folder(keys: Pair) -> None:
    folder = configure('key = "my.key"\npublic_key = "my.pub"').parent
    (folder / "my.key").write_bytes(keys.secret.read_bytes())
    (folder / "my.pub").write_bytes(keys.public.read_bytes())
    assert (secret_key().path, public_key().id) == (folder / "my.key", keys.id)


def test_a_path_may_begin_at_home(keys: Pair, tmp_path: Path) -> None:
    (tmp_path / "my.key").write_bytes(keys.secret.read_bytes())
    assert secret_key("~/my.key").path == tmp_path / "my.key"


def test_where_no_key_is_named_all_ways_to_name_one_are() -> None:
    for ask, what, option in (
        (public_key, "public", "--public-key"),
        (secret_key, "secret", "--key"),
    ):
        with pytest.raises(RigforgeError, match=f"no {what} key given") as error:
            ask()
        assert option in error.value.hint and "RIGFORGE_" in error.value.hint
        assert str(paths.config_file()) in error.value.hint


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("key = 7", "signing.key is not text: 7"),
        ('pubkey = "x"', "signing.pubkey is unknown"),
        ("rubbish", ":2: not TOML: "),
    ],
)
def test_a_wrong_configuration_is_told_with_its_file(text: str, problem: str) -> None:
    config = configure(text)
    with pytest.raises(RigforgeError) as error:
        public_key()
    assert str(config) in error.value.message and problem in error.value.message


def test_signing_has_to_be_a_table() -> None:
    config = configure("")
    config.write_text("signing = 1\n")
    assert told(secret_key) == f"{config}: signing is not a table"


def test_the_secret_key_is_refused_where_the_public_one_is_asked(keys: Pair, locked_keys: Pair) -> None:
    for one in (keys, locked_keys):
        assert told(public_key, str(one.secret)).startswith(f"{one.secret} is a secret key")


def test_the_public_key_is_refused_where_the_secret_one_is_asked(keys: Pair) -> None:
    assert told(secret_key, str(keys.public)).startswith(f"{keys.public} is a public key")


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\xff\xfe" * 40, b"untrusted comment: x\nRWQ=\n"])
def test_a_file_that_holds_no_key_is_told(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.key"
    file.write_bytes(content)
    assert told(secret_key, str(file)) == f"{file} is not a secret key of minisign"
    assert told(public_key, str(file)) == f"{file} is not a public key of minisign"


def test_a_key_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert told(secret_key, f"{tmp_path}/none") == (
        f"the secret key {tmp_path}/none cannot be read: No such file or directory"
    )
    assert told(public_key, str(tmp_path)) == f"the public key {tmp_path} cannot be read: Is a directory"


def test_a_secret_key_in_the_checkout_is_refused(keys: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "PROJECT", tmp_path / "checkout")
    inside = tmp_path / "checkout/out/my.key"
    inside.parent.mkdir(parents=True)
    inside.write_bytes(keys.secret.read_bytes())
    link = tmp_path / "link.key"
    link.symlink_to(inside)
    for path in (inside, link):
        assert told(secret_key, str(path)).startswith(f"the secret key {path} is inside the checkout")


def test_a_key_without_passphrase_asks_for_none(keys: Pair) -> None:
    assert passphrase(secret_key(str(keys.secret))) == ""


def test_a_key_with_a_passphrase_signs_with_it_and_not_with_another(locked_keys: Pair, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("content")
    key = SecretKey.read(locked_keys.secret)
    assert key.has_passphrase
    assert told(sign, file, key, "wrong", "c") == f"that is not the passphrase of {locked_keys.secret}"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    sign(file, key, PASSPHRASE, "c")
    assert verify(file, public_key(locked_keys.base64)) == "c"


def test_a_public_key_made_again_as_the_hint_says_is_the_same(keys: Pair, tmp_path: Path) -> None:
    again = tmp_path / "again.pub"
    subprocess.run(["minisign", "-R", "-s", keys.secret, "-p", again], check=True, capture_output=True)
    assert public_key(str(again)).text == keys.base64
