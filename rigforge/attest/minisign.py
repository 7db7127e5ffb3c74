"""Keys and signatures of minisign(1), and the program that makes and checks signatures.

Each is a file with a line of comment and a line of base64; what that holds is told by its first bytes and its length.
Source of the formats: https://jedisct1.github.io/minisign, from "Signature format" on.
"""

from __future__ import annotations

import base64
import binascii
import shutil
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

from rigforge import process
from rigforge.errors import RigforgeError
from rigforge.foreign import path_of
from rigforge.process import Argument, CommandFailed

#: The signature of FILE is in FILE.minisig.
SUFFIX = ".minisig"

#: Bytes; more than any key or signature has.
_LONGEST = 1 << 14

#: By the number of bytes. `ED` is a signature of a file's hash, `Ed` one of the file itself.
_KINDS = {42: ("public key", (b"Ed",)), 158: ("secret key", (b"Ed",)), 74: ("signature", (b"Ed", b"ED"))}


@dataclass(frozen=True)
class PublicKey:
    """A public key: its base64."""

    text: str

    @classmethod
    def read(cls, given: str, folder: Path = Path()) -> PublicKey:
        """Returns the key that is `given` as base64, or as a file's path, which counts from `folder`.

        Raises RigforgeError where it is neither, and where the file holds something else.
        """
        if _kind(_decoded(given)) == "public key":
            return cls(given.strip())
        path = folder / path_of(given, "public key")
        content = _content(path, "public key")
        if _kind(content) == "secret key":
            raise RigforgeError(
                f"{path} is a secret key, and the public one is needed",
                "give the public one beside it; where it is lost: minisign -R -s SECRET -p PUBLIC",
            )
        if _kind(content) != "public key":
            raise RigforgeError(f"{path} is not a public key of minisign", "its second line begins with RW")
        return cls(base64.b64encode(content).decode())

    @property
    def id(self) -> str:
        """The key's id, as minisign shows it."""
        return _id(_decoded(self.text))


@dataclass(frozen=True)
class SecretKey:
    """A secret key: where it is, and whether a passphrase is needed to use it."""

    path: Path
    has_passphrase: bool

    @classmethod
    def read(cls, path: Path) -> SecretKey:
        """Returns the key in a file. Raises RigforgeError where it cannot be read or is something else."""
        content = _content(path, "secret key")
        if _kind(content) == "public key":
            raise RigforgeError(f"{path} is a public key, and signing needs the secret one", "give the file beside it")
        if _kind(content) != "secret key":
            raise RigforgeError(f"{path} is not a secret key of minisign", f"make a pair: minisign -G -s {path}")
        return cls(path, any(content[2:4]))


def sign(file: Path, key: SecretKey, passphrase: str, comment: str) -> Path:
    """Signs `file` and returns the path of its signature, which replaces an older one whole or not at all.

    `comment` is the trusted comment, which is signed as well: one line, fields of NAME:VALUE between tabs.
    Raises RigforgeError for a wrong passphrase and with minisign's own words.
    """
    signature = signature_of(file)
    partial = signature.with_name(f".{signature.name}")
    try:
        # minisign reads a passphrase from its standard input where that is no terminal.
        _minisign("-S", "-s", key.path, "-x", partial, "-t", comment, "-m", file, stdin=f"{passphrase}\n")
        partial.replace(signature)
    except CommandFailed as failed:
        if "Wrong password" in failed.output:
            raise RigforgeError(
                f"that is not the passphrase of {key.path}", "nothing was signed; run the same command again"
            ) from failed
        raise
    finally:
        partial.unlink(missing_ok=True)
    return signature


def verify(file: Path, key: PublicKey) -> str:
    """Checks that `file` is what `key` signed, under this name, and returns the trusted comment.

    Raises RigforgeError where it is not signed, signed by another key, or altered.
    """
    signature = signature_of(file)
    again = f"get {file.name} and {signature.name} again from where they came from"
    if not signature.exists():
        raise RigforgeError(
            f"{file} is not signed: there is no {signature.name} beside it",
            "get it from where the file came from; what you built yourself, `invoke sign` signs",
        )
    content = _content(signature, "signature")
    if _kind(content) != "signature":
        raise RigforgeError(f"{signature} is not a signature of minisign", again)
    if _id(content) != key.id:
        raise RigforgeError(
            f"{file} is signed by key {_id(content)}, not by key {key.id}",
            "ask whoever signed it, by another way than the files came, which key is theirs",
        )
    try:
        said = _minisign("-V", "-P", key.text, "-x", signature, "-m", file).stdout
    except CommandFailed as failed:
        if "Comment signature" in failed.output:
            raise RigforgeError(f"the trusted comment in {signature} was altered", again) from failed
        if failed.returncode == 1:
            raise RigforgeError(f"{file} was altered: it is not what key {key.id} signed", again) from failed
        raise RigforgeError(f"{signature} cannot be checked: {failed.output.strip()}", again) from failed
    comment = said.partition("Trusted comment: ")[2].rstrip("\n")
    # A signed file of another build, renamed, would pass for this one.
    signed_as = fields(comment).get("file", file.name)
    if signed_as != file.name:
        raise RigforgeError(f"{file} was signed under another name: {signed_as}", f"rename it, or {again}")
    return comment


def signature_of(file: Path) -> Path:
    """Returns where the signature of `file` is, if there is one."""
    return file.with_name(file.name + SUFFIX)


def fields(comment: str) -> dict[str, str]:
    """Returns the values by name of a trusted comment in minisign's form: NAME:VALUE, tabs between them."""
    return dict(field.split(":", 1) for field in comment.split("\t") if ":" in field)


def _minisign(*arguments: Argument, stdin: str | None = None) -> CompletedProcess[str]:
    if not shutil.which("minisign", path=process.minimal_environment()["PATH"]):
        raise RigforgeError("minisign is not installed", "install the package minisign: sudo apt-get install minisign")
    return process.run(["minisign", *arguments], stdin=stdin)


def _content(path: Path, what: str) -> bytes:
    """Returns the bytes that the base64 in a file stands for, none where there is no base64."""
    try:
        with path.open("rb") as file:
            lines = file.read(_LONGEST).decode(errors="replace").splitlines()
    except OSError as error:
        raise RigforgeError(
            f"the {what} {path} cannot be read: {error.strerror}", f"name a file that holds the {what}"
        ) from error
    return _decoded(next((line for line in lines if line and not line.startswith("untrusted comment:")), ""))


def _decoded(line: str) -> bytes:
    try:
        return base64.b64decode(line.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _kind(content: bytes) -> str:
    name, algorithms = _KINDS.get(len(content), ("", ()))
    return name if content[:2] in algorithms else ""


def _id(content: bytes) -> str:
    """Returns the id of the key that a public key is, or that made a signature."""
    return f"{int.from_bytes(content[2:10], 'little'):X}"
