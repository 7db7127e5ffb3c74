"""A conda environment of a lock in conda's own format: `conda create --file` makes the same one anywhere.

Source: conda's documentation, "Managing environments", building identical conda environments; CEP 23.
"""

from __future__ import annotations

from urllib.parse import quote

from rigforge.errors import RigforgeError
from rigforge.lock.model import Lock


def explicit(lock: Lock, environment: str, url: str) -> str:
    """Returns the URLs, with sha256, of all packages of an environment; `url` is the channel's on this machine.

    Raises RigforgeError, with the names there are, where the lock has no such environment.
    """
    packages = {file.file: file for file in lock.files if file.kind == "conda" and file.environment == environment}
    if not packages:
        names = sorted({file.environment for file in lock.files if file.kind == "conda"})
        raise RigforgeError(
            f"the lock of {lock.stack} has no conda environment {environment!r}",
            f"it has {', '.join(names)}" if names else 'python.provider = "conda" makes some',
        )
    lines = [
        f"{url}/{quote(path.partition(':')[2], safe='/~')}#sha256:{file.sha256}"
        for path, file in sorted(packages.items())
    ]
    return "\n".join(["# platform: linux-64", "@EXPLICIT", *lines, ""])
