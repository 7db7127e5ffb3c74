"""Public keys of SSH, as authorized_keys(5) has them."""

from __future__ import annotations

import base64
import binascii
import re

#: Types that OpenSSH 9 accepts for logging in (sshd_config(5), PubkeyAcceptedAlgorithms).
TYPES = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)

_KEY = re.compile(rf"(?:^|\s)({'|'.join(map(re.escape, TYPES))})\s+([A-Za-z0-9+/]+=*)(?:\s|$)")


def is_public_key(line: str) -> bool:
    """Says whether one line, options and comment included, has a key that OpenSSH reads: a broken paste shows."""
    match = _KEY.search(line)
    if not match or line.startswith("#") or "\n" in line:
        return False
    name = match[1].encode()
    try:
        blob = base64.b64decode(match[2], validate=True)
    except binascii.Error:
        return False
    # RFC 4253, 6.6: the blob starts with its own type as a counted string; the fields after it fill it exactly.
    if not blob.startswith(len(name).to_bytes(4, "big") + name):
        return False
    rest = blob
    while len(rest) >= 4:
        length = int.from_bytes(rest[:4], "big")
        if length > len(rest) - 4:
            return False
        rest = rest[4 + length :]
    return not rest and len(blob) > len(name) + 4 + 32
