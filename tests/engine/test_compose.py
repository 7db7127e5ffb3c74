"""The compose file and the dev container that go with an image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from rigforge.engine.compose import compose, dev_container, write_definitions
from rigforge.engine.gpus import Access

DEV = "rigforge/debian-12:dev"


def services(access: Access = "none") -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(compose(DEV, access))
    return read["services"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("service", ["dev", "jupyter"])
def test_a_service_sees_the_folder_as_the_user_and_has_room_for_loaders(service: str) -> None:
    made = services()[service]
    assert made["image"] == DEV
    assert made["volumes"] == [".:/workspace"]
    assert made["working_dir"] == "/workspace"
    assert made["user"] == "${DEV_UID:-1000}:${DEV_GID:-1000}"
    assert made["shm_size"] == "16g"


def test_dev_is_a_shell_that_publishes_nothing() -> None:
    dev = services()["dev"]
    assert dev["stdin_open"] and dev["tty"]
    assert "ports" not in dev and "command" not in dev


def test_jupyter_starts_only_when_asked_for_and_is_published_only_on_this_machine() -> None:
    jupyter = services()["jupyter"]
    assert jupyter["profiles"] == ["jupyter"]
    assert jupyter["command"] == ["jupyter"]
    assert jupyter["ports"] == ["127.0.0.1:${JUPYTER_PORT:-8888}:8888"]


@pytest.mark.parametrize("service", ["dev", "jupyter"])
def test_gpus_are_reserved_reached_by_cdi_or_left_out(service: str) -> None:
    reserved = [{"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}]
    assert services("toolkit")[service]["deploy"]["resources"]["reservations"]["devices"] == reserved
    assert services("cdi")[service]["devices"] == ["nvidia.com/gpu=all"]
    assert not {"deploy", "devices"} & set(services("none")[service])


def test_the_services_share_no_part_of_the_file() -> None:
    """docker-compose 1.29 nests `capabilities` once for each service that shares them, and the daemon refuses that."""
    text = compose(DEV, "toolkit")
    assert "&" not in text.replace("&&", "") and "extends" not in text and "<<" not in text


@pytest.mark.parametrize(
    ("access", "run_arguments", "requirements"),
    [
        ("toolkit", ["--shm-size=16g"], {"gpu": "optional"}),
        ("cdi", ["--shm-size=16g", "--device=nvidia.com/gpu=all"], None),
        ("none", ["--shm-size=16g"], None),
    ],
)
def test_the_dev_container_has_the_gpus(
    access: Access, run_arguments: list[str], requirements: dict[str, str] | None
) -> None:
    made = json.loads(dev_container(DEV, access))
    assert made["runArgs"] == run_arguments
    assert made.get("hostRequirements") == requirements


def test_the_dev_container_mounts_the_folder_for_the_images_user() -> None:
    made = json.loads(dev_container(DEV, "none"))
    assert (made["image"], made["remoteUser"], made["updateRemoteUserUID"]) == (DEV, "dev", True)
    assert made["workspaceFolder"] == "/workspace"
    assert made["workspaceMount"] == "source=${localWorkspaceFolder},target=/workspace,type=bind"


def test_both_are_written_where_their_programs_look_for_them(tmp_path: Path) -> None:
    folder = tmp_path / "images" / "debian-12"
    assert write_definitions(DEV, folder, "cdi") == [
        folder / "compose.yaml",
        folder / ".devcontainer/devcontainer.json",
    ]
    assert (folder / "compose.yaml").read_text() == compose(DEV, "cdi")
    assert (folder / ".devcontainer/devcontainer.json").read_text() == dev_container(DEV, "cdi")
