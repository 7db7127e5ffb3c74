"""Which engine answers, and what a user is told where none does."""

from __future__ import annotations

import hashlib
import json
import os
import socket as sockets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rigforge.engine import find
from rigforge.engine.find import Engine
from rigforge.errors import RigforgeError, UsageError
from tests.engine.docker_daemon import answering

Install = Callable[..., Path]


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Root may use any socket; this makes root an ordinary user for a while."""
    me = os.geteuid()
    os.seteuid(me or 65534)
    try:
        yield
    finally:
        os.seteuid(me)


# Docker


def test_the_daemon_says_its_version_and_its_runtimes(install: Install, socket: Path) -> None:
    install("docker")
    with answering(socket, info={"Runtimes": {"runc": {}, "nvidia": {}}}):
        assert find.find("docker") == Engine("docker", (20, 10), runtimes=frozenset({"runc", "nvidia"}))


def test_the_daemon_says_that_it_is_rootless(install: Install, socket: Path) -> None:
    install("docker")
    with answering(socket, info={"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"]}):
        assert find.find("docker").rootless


@pytest.mark.parametrize("directories", [["/etc/cdi", "/var/run/cdi"], []], ids=["on", "off"])
def test_the_daemon_says_where_it_reads_cdi_specifications(
    install: Install, socket: Path, directories: list[str]
) -> None:
    install("docker")
    with answering(socket, version={"Version": "28.3.0"}, info={"CDISpecDirs": directories}):
        assert find.find("docker").cdi_directories == tuple(directories)


def test_the_daemon_of_the_current_docker_context_is_asked(
    install: Install, socket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("docker")
    address = os.environ["DOCKER_HOST"]
    monkeypatch.delenv("DOCKER_HOST")
    meta = tmp_path / ".docker/contexts/meta" / hashlib.sha256(b"lab").hexdigest()
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(
        json.dumps({"Name": "lab", "Metadata": {}, "Endpoints": {"docker": {"Host": address, "SkipTLSVerify": False}}})
    )
    (tmp_path / ".docker/config.json").write_text('{"currentContext": "lab"}')
    with pytest.raises(RigforgeError, match=f"no socket at {address}"):
        find.find("docker")
    with answering(socket, version={"Version": "27.1.0"}):
        assert find.find("docker").version == (27, 1)


def test_podman_behind_dockers_socket_is_podman(install: Install, socket: Path, podman: Install) -> None:
    install("docker")
    podman("4.9.3", rootless=False)
    with answering(socket, version={"Components": [{"Name": "Podman Engine"}]}):
        assert find.find().name == "podman"


def test_docker_that_is_not_installed(socket: Path) -> None:
    with pytest.raises(RigforgeError, match="docker is not installed"):
        find.find("docker")


def test_a_missing_socket_is_named(install: Install, socket: Path) -> None:
    install("docker")
    with pytest.raises(RigforgeError, match=f"there is no socket at unix://{socket}") as raised:
        find.find("docker")
    assert "systemctl start docker" in raised.value.hint and "DOCKER_HOST" in raised.value.hint


def test_a_socket_that_the_user_may_not_use_is_named(socket: Path) -> None:
    with answering(socket):
        socket.chmod(0)
        expected = pytest.raises(RigforgeError, match=f"permission denied at unix://{socket}")
        with ordinary_user(), expected as raised, find.daemon():
            pass
    assert "usermod --append --groups docker" in raised.value.hint and "sudo" in raised.value.hint


def test_a_daemon_that_has_gone_does_not_answer(install: Install, socket: Path) -> None:
    install("docker")
    with answering(socket):
        pass
    with pytest.raises(RigforgeError, match=f"unix://{socket} does not answer: .*refused") as raised:
        find.find("docker")
    assert "systemctl status docker" in raised.value.hint


def test_a_daemon_that_hangs_does_not_answer(install: Install, socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("docker")
    monkeypatch.setattr(find, "TIMEOUT", 0.2)
    with sockets.socket(sockets.AF_UNIX) as hanging:
        hanging.bind(str(socket))
        hanging.listen()
        with pytest.raises(RigforgeError, match=f"unix://{socket} does not answer: .*timed out"):
            find.find("docker")


def test_a_daemon_that_answers_with_an_error_is_quoted(install: Install, socket: Path) -> None:
    install("docker")
    with answering(socket, status=500), pytest.raises(RigforgeError, match=r"does not answer: .*500"):
        find.find("docker")


# podman


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("4.3.1", Engine("podman", (4, 3), rootless=True, cdi_directories=("/etc/cdi", "/var/run/cdi"))),
        ("5.4.2", Engine("podman", (5, 4), rootless=True, cdi_directories=("/etc/cdi", "/var/run/cdi"))),
        ("4.0.3-dev", Engine("podman", (4, 0), rootless=True)),
    ],
)
def test_podman_reads_cdi_specifications_from_4_1_on(podman: Install, version: str, expected: Engine) -> None:
    podman(version)
    assert find.find("podman") == expected


def test_podman_says_why_it_does_not_work(install: Install) -> None:
    install("podman", "echo 'Error: cannot set up namespace using newuidmap' >&2; exit 125")
    with pytest.raises(RigforgeError, match="podman does not work: Error: cannot set up namespace") as raised:
        find.find("podman")
    assert "podman info" in raised.value.hint


def test_podman_sees_which_storage_is_the_users(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("podman", 'echo "storage: $CONTAINERS_STORAGE_CONF" >&2; exit 125')
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", "/home/ada/storage.conf")
    with pytest.raises(RigforgeError, match=r"storage: /home/ada/storage\.conf"):
        find.find("podman")


# either


def test_docker_comes_first(install: Install, socket: Path, podman: Install) -> None:
    install("docker")
    podman()
    with answering(socket):
        assert find.find().name == "docker"


def test_podman_takes_the_place_of_a_docker_that_does_not_answer(
    install: Install, socket: Path, podman: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("docker")
    podman()
    assert find.find().name == "podman"
    assert f"there is no socket at unix://{socket}: podman is used" in capsys.readouterr().err


def test_without_an_engine_both_are_named(socket: Path) -> None:
    with pytest.raises(RigforgeError) as raised:
        find.find()
    assert "docker is not installed" in raised.value.message and "podman is not installed" in raised.value.message


def test_another_engine_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="unknown engine: lxc"):
        find.find("lxc")
