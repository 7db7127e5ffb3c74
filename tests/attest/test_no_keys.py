"""No secret key is in the repository: none of minisign, and none in PEM (OpenSSL, OpenSSH, GnuPG)."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from rigforge.paths import PROJECT
from tests.attest import signing

# A first line alone, as in tests of what is refused, is no key.
SECRET_KEYS = re.compile(
    rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----\s+(?:[\w-]+: .*\s+)*[\w+/]{40}"
    rb"|untrusted comment: .*\s+RW[\w+/]{200}"
)


def with_secret_keys(folder: Path) -> list[str]:
    """The files, tracked or not ignored, in which a secret key begins."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    files = (folder / name for name in sorted({*listed.split("\0")} - {""}))
    return [str(file.relative_to(folder)) for file in files if file.is_file() and SECRET_KEYS.search(file.read_bytes())]


def test_no_file_holds_a_secret_key() -> None:
    assert with_secret_keys(PROJECT) == []


def test_secret_keys_are_found(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    signing.pair(tmp_path, "minisign")
    for name, options in (("ec.pem", ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]), ("rsa.pem", ["RSA"])):
        made = ["openssl", "genpkey", "-algorithm", *options, "-out", tmp_path / name]
        subprocess.run(made, check=True, capture_output=True)
    ssh = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "ssh"]
    subprocess.run(ssh, check=True, capture_output=True)
    assert with_secret_keys(tmp_path) == ["ec.pem", "minisign.key", "rsa.pem", "ssh"]
