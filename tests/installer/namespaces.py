"""Tests that mount: each runs in a mount namespace of its own, as root there, whoever runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

INSIDE = "RIGFORGE_TEST_NAMESPACE"


def in_own_namespace(test: Callable[..., None]) -> Callable[..., None]:
    """Runs the test function by a pytest of its own under unshare(1); what it mounts is gone afterwards."""

    @wraps(test)
    def wrapper(*args: Any, tmp_path: Path, **kwargs: Any) -> None:
        if INSIDE in os.environ:
            test(*args, tmp_path=tmp_path, **kwargs)
            return
        node = os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0]
        user = [] if os.geteuid() == 0 else ["--map-root-user"]
        pytest = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            f"--basetemp={tmp_path}/own",
            node,
        ]
        result = subprocess.run(
            ["unshare", "--mount", *user, *pytest], env={**os.environ, INSIDE: "1"}, capture_output=True, text=True
        )
        assert result.returncode == 0 and "1 passed" in result.stdout, result.stdout + result.stderr

    return wrapper
