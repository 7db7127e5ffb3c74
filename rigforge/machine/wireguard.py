"""Makes the private keys of WireGuard interfaces on the machine itself, so that no medium and no document holds one.

netplan writes what networkd is to make into /run; where that names a key's file and there is none, the key is made.
Beside it comes the public half, with the ending .pub, for the other side and for the machine's report.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

#: Where netplan puts the interfaces that networkd makes.
NETWORKD = Path("/run/systemd/network")

#: networkd reads the key, and it is not root.
READER = "systemd-network"

#: Bytes of a Curve25519 key, which end its DER encoding, private (RFC 8410, 7) and public (4).
KEY_BYTES = 32


def key_files(folder: Path = NETWORKD) -> list[Path]:
    """Returns the files in which the WireGuard interfaces expect their private keys (systemd.netdev(5))."""
    texts = [file.read_text() for file in sorted(folder.glob("*.netdev"))]
    return [Path(path) for text in texts for path in re.findall(r"^PrivateKeyFile=(.+)$", text, re.MULTILINE)]


def make(file: Path) -> bool:
    """Makes the private key `file` unless it is there, and its public half; returns whether it was made.

    Raises OSError, subprocess.CalledProcessError.
    """
    public = file.with_name(f"{file.name}.pub")
    if file.exists():
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    key = _openssl(["genpkey", "-algorithm", "X25519", "-outform", "DER"])
    public_key = _openssl(["pkey", "-inform", "DER", "-pubout", "-outform", "DER"], key)
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "w") as private:  # noqa: PTH123
        private.write(_text(key))
    public.write_text(_text(public_key))
    return True


def _openssl(arguments: list[str], content: bytes = b"") -> bytes:
    # It comes with ca-certificates; wg, which could do the same, is in no small system.
    return subprocess.run(["openssl", *arguments], input=content, capture_output=True, check=True).stdout


def _text(der: bytes) -> str:
    return base64.b64encode(der[-KEY_BYTES:]).decode() + "\n"


def close(files: Iterable[Path]) -> None:
    """Takes netplan's configuration, which may hold keys, from everybody but root; cloud-init leaves it readable."""
    for file in files:
        file.chmod(0o600)


def main() -> None:
    close(Path("/etc/netplan").glob("*.yaml"))
    for file in key_files():
        if make(file):
            shutil.chown(file, group=READER)
            print(f"made the key {file}", file=sys.stderr)


if __name__ == "__main__":
    main()
