"""Signatures of what was built."""

from __future__ import annotations

from pathlib import Path

from invoke.context import Context

from rigforge.cli import task


@task(
    help={
        "file": "ISO, checksum file, or folder of an OCI layout",
        "key": "file with minisign's secret key (default: RIGFORGE_SIGNING_KEY, else key in [signing] of the user's "
        "configuration)",
    }
)
def sign(context: Context, file: str, key: str = "") -> None:
    """
    Sign what was built: its checksum file, which vouches for the rest, and its provenance.

    Example: invoke sign out/rigforge-debian-12.iso --key ~/.minisign/minisign.key
    """
    from rigforge.attest import keys, signature

    secret = keys.secret_key(key)
    for signature_file in signature.sign(Path(file), secret, keys.passphrase(secret)):
        print(f"signature: {signature_file}")


@task(
    help={
        "file": "ISO, folder of an OCI layout, checksum file, or another file that a checksum file beside it lists",
        "public_key": "minisign's public key, a file or base64 (default: RIGFORGE_PUBLIC_KEY, else public_key in "
        "[signing] of the user's configuration)",
    }
)
def verify_signature(context: Context, file: str, public_key: str = "") -> None:
    """
    Check that a file is what the owner of a key signed.

    Example: invoke verify-signature rigforge-debian-12.iso --public-key RWQf6LRCGA9i…
    """
    from rigforge import console
    from rigforge.attest import keys, signature

    console.say(signature.verify(Path(file), keys.public_key(public_key)).summary)
    print(f"verified: {file}")
