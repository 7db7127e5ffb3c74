"""The command that runs an image."""

from __future__ import annotations

import socket as sockets
from dataclasses import replace
from pathlib import Path

import pytest

from rigforge.engine import command
from rigforge.engine.command import Caller
from rigforge.engine.find import Engine
from rigforge.engine.gpus import Access
from rigforge.errors import RigforgeError, UsageError

DOCKER = Engine("docker", (20, 10))
ADA = Caller(Path("/home/ada/net"), uid=1001, gid=1002, memory=64 * 2**30, terminal=False)
DEV = "rigforge/debian-12:dev"


def arguments(
    *words: str, engine: Engine = DOCKER, access: Access = "none", caller: Caller = ADA, port: int = 8888
) -> list[str]:
    return command.arguments(engine, access, caller, DEV, words, port)


def test_the_whole_command() -> None:
    assert arguments("nvidia-smi", "-L", access="toolkit") == [
        *("docker", "run", "--rm"),
        *("--user", "1001:1002"),
        *("--volume", "/home/ada/net:/workspace", "--workdir", "/workspace"),
        *("--shm-size", "34359738368"),
        *("--gpus", "all"),
        *(DEV, "nvidia-smi", "-L"),
    ]


def test_without_a_command_the_image_has_its_own() -> None:
    assert arguments()[-1] == DEV


@pytest.mark.parametrize(
    ("access", "options"),
    [("toolkit", ["--gpus", "all"]), ("cdi", ["--device", "nvidia.com/gpu=all"]), ("none", [])],
)
def test_gpus_come_in_by_one_way(access: Access, options: list[str]) -> None:
    made = arguments(access=access)
    assert made[made.index("--shm-size") + 2 : made.index(DEV)] == options


@pytest.mark.parametrize(
    ("engine", "options"),
    [
        (DOCKER, ["--user", "1001:1002"]),
        (Engine("docker", (28, 3), rootless=True), ["--user", "0:0"]),
        (Engine("podman", (4, 3)), ["--user", "1001:1002"]),
        (Engine("podman", (4, 3), rootless=True), ["--userns=keep-id"]),
    ],
    ids=str,
)
def test_files_made_in_the_container_are_the_callers(engine: Engine, options: list[str]) -> None:
    made = arguments(engine=engine)
    assert made[made.index("--rm") + 1 : made.index("--volume")] == options


def test_at_a_terminal_the_container_has_one() -> None:
    assert arguments(caller=replace(ADA, terminal=True))[3:5] == ["--interactive", "--tty"]
    assert not {"--interactive", "--tty"} & set(arguments())


@pytest.mark.parametrize(
    ("words", "published"),
    [
        (["jupyter"], True),
        (["jupyter", "lab"], True),
        (["jupyter-lab"], True),
        (["/opt/rigforge/python/bin/jupyter"], True),
        (["python", "jupyter.py"], False),
        ([], False),
    ],
)
def test_only_jupyter_is_published_and_only_on_this_machine(words: list[str], published: bool) -> None:
    made = arguments(*words, port=9000)
    assert ("--publish" in made) is published
    if published:
        assert made[made.index("--publish") + 1] == "127.0.0.1:9000:8888"


def test_a_colon_would_cut_the_folders_path_in_two() -> None:
    with pytest.raises(RigforgeError, match="/data/a:b: a folder with a colon"):
        arguments(caller=replace(ADA, directory=Path("/data/a:b")))


@pytest.mark.parametrize("text", ["0", "65536", "-1", "eight", ""])
def test_a_port_is_a_number_that_a_port_can_have(text: str) -> None:
    with pytest.raises(UsageError, match="not a port"):
        command.the_port(text)


def test_a_port_in_use_is_named() -> None:
    with sockets.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(RigforgeError, match=f"port {port} is in use") as raised:
            command.check_port(port)
        assert "--port" in raised.value.hint
    command.check_port(port)
