"""A machine whose container engines the tests decide about."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Install = Callable[[str, str], Path]


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine on PATH, no docker context, nothing in the environment."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Puts a shell script on PATH as a program."""

    def put(name: str, script: str = "exit 0") -> Path:
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return program

    return put


@pytest.fixture
def podman(install: Install) -> Callable[..., Path]:
    """Puts a podman on PATH that answers `info` with its version and has the given images."""

    def put(version: str = "4.3.1", rootless: bool = True, images: str = "") -> Path:
        info: dict[str, Any] = {"version": {"Version": version}, "host": {"security": {"rootless": rootless}}}
        return install(
            "podman",
            f"case $1 in\ninfo) echo '{json.dumps(info)}' ;;\n"
            f'image) case " {images} " in *" $3 "*) exit 0 ;; *) exit 1 ;; esac ;;\nesac',
        )

    return put


@pytest.fixture
def socket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where DOCKER_HOST says that the daemon is. (A socket's path has at most 107 bytes.)"""
    folder = Path(tempfile.mkdtemp(prefix="docker"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{folder}/docker.sock")
    yield folder / "docker.sock"
    shutil.rmtree(folder)
