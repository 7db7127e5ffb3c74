"""Which container engine answers on this machine, and what it can do."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import requests

from rigforge import console, process
from rigforge.errors import RigforgeError, UsageError

if TYPE_CHECKING:
    import docker

#: Seconds to wait for the daemon's answer.
TIMEOUT = 10

#: Where podman looks for CDI specifications (https://github.com/cncf-tags/container-device-interface).
_PODMAN_CDI = ("/etc/cdi", "/var/run/cdi")


@dataclass(frozen=True)
class Engine:
    """A container engine that answers."""

    name: Literal["docker", "podman"]
    #: Major and minor version, of the daemon where there is one.
    version: tuple[int, int]
    #: Containers run as the user, in a user namespace.
    rootless: bool = False
    #: The OCI runtimes it is configured with.
    runtimes: frozenset[str] = frozenset()
    #: Where it reads CDI specifications; empty where it does not read them.
    cdi_directories: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{'rootless ' if self.rootless else ''}{self.name} {self.version[0]}.{self.version[1]}"


def find(name: str = "") -> Engine:
    """Returns the engine `name` (docker or podman), or for "" the first of the two that answers.

    Raises RigforgeError that says why it does not answer, and the cure.
    """
    if name:
        if name not in _ASK:
            raise UsageError(f"unknown engine: {name}", f"it is one of: {', '.join(_ASK)}")
        return _ASK[name]()
    try:
        return ask_docker()
    except RigforgeError as no_docker:
        try:
            engine = ask_podman()
        except RigforgeError as no_podman:
            raise RigforgeError(f"{no_docker.message}\n{no_podman.message}", no_docker.hint) from None
        console.say(f"{no_docker.message}: podman is used")
        return engine


def ask_docker() -> Engine:
    """Returns what the Docker daemon says of itself. Raises RigforgeError where it does not, as `daemon`."""
    if not shutil.which("docker"):
        raise RigforgeError("docker is not installed", "install your distribution's package of Docker, or podman")
    with daemon() as client:
        version, info = client.version(), client.info()
    if any(part["Name"] == "Podman Engine" for part in version.get("Components") or ()):
        return ask_podman()  # behind Docker's socket, as the package podman-docker puts it
    return Engine(
        "docker",
        _major_minor(version["Version"]),
        rootless="name=rootless" in (info.get("SecurityOptions") or ()),
        runtimes=frozenset(info.get("Runtimes") or ()),
        # Since 25; an empty list where CDI is switched off.
        # https://docs.docker.com/reference/api/engine/version/v1.44/#tag/System/operation/SystemInfo
        cdi_directories=tuple(info.get("CDISpecDirs") or ()),
    )


def ask_podman() -> Engine:
    """Returns what podman says of itself. Raises RigforgeError where it is missing or does not work."""
    if not shutil.which("podman"):
        raise RigforgeError("podman is not installed", "install your distribution's package podman, or Docker")
    # XDG_*, CONTAINER_* and CONTAINERS_* say which storage and which configuration is the user's.
    asked = process.run(["podman", "info", "--format", "json"], env=os.environ, check=False)
    try:
        info: dict[str, Any] = json.loads(asked.stdout)
        version = _major_minor(info["version"]["Version"])
        rootless: bool = info["host"]["security"]["rootless"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RigforgeError(
            f"podman does not work: {asked.stderr.strip() or asked.stdout.strip()[:200]}",
            "`podman info` says the same; https://podman.io/docs/installation says what rootless podman needs",
        ) from error
    # --device takes CDI names since 4.1: https://github.com/containers/podman/releases/tag/v4.1.0
    return Engine("podman", version, rootless, cdi_directories=_PODMAN_CDI if version >= (4, 1) else ())


@contextmanager
def daemon() -> Iterator[docker.DockerClient]:
    """Yields the Docker daemon of DOCKER_HOST, else of the current docker context: the one that `docker` asks.

    Raises RigforgeError, from what is done with it too, that tells a missing socket, one that this user may
    not use and a daemon that does not answer from one another.
    """
    import docker  # half a second, which no build of images is to wait for
    from docker.errors import DockerException

    try:
        with closing(docker.from_env(timeout=TIMEOUT, use_ssh_client=True)) as client:
            yield client
    except (DockerException, requests.RequestException) as error:
        raise _silent(error) from error


def _silent(error: Exception) -> RigforgeError:
    from docker.context import ContextAPI

    address = os.environ.get("DOCKER_HOST") or ContextAPI.kwargs_from_context().get("base_url", "its default socket")
    cause = _root_cause(error)
    if isinstance(cause, FileNotFoundError):
        return RigforgeError(
            f"docker: there is no socket at {address}",
            "start the daemon (sudo systemctl start docker), name its socket in DOCKER_HOST, or use --engine podman",
        )
    if isinstance(cause, PermissionError):
        return RigforgeError(
            f"docker: permission denied at {address}",
            "join the group docker (sudo usermod --append --groups docker $USER, then log in anew), "
            "use --engine podman, or run this with sudo",
        )
    return RigforgeError(
        f"docker: the daemon at {address} does not answer: {cause}",
        "look at it with `sudo systemctl status docker` (and at DOCKER_HOST and `docker context ls`), "
        "or use --engine podman",
    )


def _root_cause(error: BaseException) -> BaseException:
    """Returns the error of the operating system under the SDK's, requests' and urllib3's."""
    deeper = error.__cause__ or error.__context__
    return _root_cause(deeper) if deeper else error


def _major_minor(version: str) -> tuple[int, int]:
    """Returns the first two numbers of a version such as 20.10.24+dfsg1."""
    major, minor, *_ = [*map(int, re.findall(r"\d+", version)), 0, 0]
    return major, minor


_ASK = {"docker": ask_docker, "podman": ask_podman}
