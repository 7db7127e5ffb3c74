"""What NVIDIA publishes as JSON: its driver branches, and the parts of each CUDA Toolkit."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import requests
from packaging.version import Version

from rigforge.foreign import boundary
from rigforge.sources.mirrors import TIMEOUT


def branches(session: requests.Session, url: str) -> dict[str, str]:
    """Returns the newest driver of each branch.

    Raises requests' errors where NVIDIA does not answer, RigforgeError where it is something else that answers.
    """
    found = _json(session, url)
    with boundary(f"{url} is not as it was"):
        return {
            name: max(
                (each["release_version"] for each in branch["driver_info"]),
                key=Version,
            )
            for name, branch in found.items()
        }


def toolkits(session: requests.Session, pattern: str, versions: Iterable[str]) -> dict[str, dict[str, str]]:
    """Returns cudart and driver of CUDA Toolkits; `pattern` is the URL of one, with {version} in it.

    Raises the same as `branches`.
    """
    found = {}
    for version in versions:
        url = pattern.replace("{version}", version)
        parts = _json(session, url)
        with boundary(f"{url} is not as it was"):
            driver = parts.get("nvidia_driver", {}).get("version", "")
            found[version] = {"runtime": parts["cuda_cudart"]["version"], "driver": driver}
    return found


def _json(session: requests.Session, url: str) -> Any:
    answer = session.get(url, timeout=TIMEOUT)
    answer.raise_for_status()
    with boundary(f"{url} is not JSON"):
        return json.loads(answer.content)
