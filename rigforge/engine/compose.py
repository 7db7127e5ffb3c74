"""Definitions that start the dev image without Rigforge: a compose file, and a dev container for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from rigforge.engine.command import JUPYTER_PORT, WORKSPACE
from rigforge.engine.gpus import CDI_NAME, Access

#: More than any loader needs: /dev/shm is a tmpfs, and only what is used takes memory.
SHM_SIZE = "16g"

_COMPOSE_HEAD = """\
# Copy this file into your project's folder, and there:
#   docker compose run --rm dev      a shell
#   docker compose up jupyter        JupyterLab on 127.0.0.1:8888
# Your user or group ID is not 1000? Put DEV_UID=… and DEV_GID=… (`id -u`, `id -g`) into the file .env.
# With rootless Docker both are 0.
"""


def compose(reference: str, access: Access) -> str:
    """Returns a compose file with the services `dev` (a shell) and `jupyter` (JupyterLab, on the loopback address).

    Compose v2 reads it, and docker-compose 1.28 and later except for access by CDI.
    """
    services = {
        "dev": {**_service(reference, access), "stdin_open": True, "tty": True},
        "jupyter": {
            **_service(reference, access),
            "profiles": ["jupyter"],
            # The image's entry point has it listen beyond the container, and ask for a token.
            "command": ["jupyter"],
            "ports": [f"127.0.0.1:${{JUPYTER_PORT:-{JUPYTER_PORT}}}:{JUPYTER_PORT}"],
        },
    }
    return _COMPOSE_HEAD + yaml.safe_dump({"services": services}, sort_keys=False, width=120)


def dev_container(reference: str, access: Access) -> str:
    """Returns a devcontainer.json (https://containers.dev/implementors/json_reference/).

    With the toolkit the GPUs are optional: the same definition works on a machine without one.
    """
    definition = {
        "name": reference,
        "image": reference,
        "remoteUser": "dev",
        "updateRemoteUserUID": True,
        "workspaceMount": f"source=${{localWorkspaceFolder}},target={WORKSPACE},type=bind",
        "workspaceFolder": WORKSPACE,
        "runArgs": [f"--shm-size={SHM_SIZE}", *([f"--device={CDI_NAME}"] if access == "cdi" else [])],
        **({"hostRequirements": {"gpu": "optional"}} if access == "toolkit" else {}),
        "forwardPorts": [JUPYTER_PORT],
        "customizations": {
            "vscode": {
                "extensions": ["ms-python.python", "ms-toolsai.jupyter"],
                "settings": {"python.defaultInterpreterPath": "/opt/rigforge/python/bin/python"},
            }
        },
    }
    return json.dumps(definition, indent=2) + "\n"


def write_definitions(reference: str, directory: Path, access: Access = "toolkit") -> list[Path]:
    """Writes compose.yaml and .devcontainer/devcontainer.json for an image into a directory; returns their paths.

    `access` is "none" for an image without CUDA.
    """
    texts = {
        directory / "compose.yaml": compose(reference, access),
        directory / ".devcontainer" / "devcontainer.json": dev_container(reference, access),
    }
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(texts)


def _service(reference: str, access: Access) -> dict[str, Any]:
    """Returns what the services have in common; each has its own: docker-compose 1.29 spoils GPUs that two share."""
    return {
        "image": reference,
        "user": "${DEV_UID:-1000}:${DEV_GID:-1000}",
        "working_dir": WORKSPACE,
        "volumes": [f".:{WORKSPACE}"],
        "shm_size": SHM_SIZE,
        **_gpus(access),
    }


def _gpus(access: Access) -> dict[str, Any]:
    """Returns a service's keys for the GPUs: https://github.com/compose-spec/compose-spec/blob/main/deploy.md#devices"""
    if access == "toolkit":
        gpus = {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
        return {"deploy": {"resources": {"reservations": {"devices": [gpus]}}}}
    return {"devices": [CDI_NAME]} if access == "cdi" else {}
