"""CDI specifications: of the loaded driver or of another, twice, broken, and the one that goes before the other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.doctor.machines import DRIVER, Examine, program, write

LIBRARY = "/usr/lib/x86_64-linux-gnu/libcuda.so"


def yaml(version: str, library: str = LIBRARY) -> str:
    """As `nvidia-ctk cdi generate` writes it, shortened."""
    return f"""---
cdiVersion: 0.5.0
containerEdits:
  mounts:
  - containerPath: {library}.{version}
    hostPath: {library}.{version}
  - containerPath: /lib/firmware/nvidia/{version}/gsp_ga10x.bin
    hostPath: /lib/firmware/nvidia/{version}/gsp_ga10x.bin
  - hostPath: /usr/lib/x86_64-linux-gnu/libnvidia-egl-gbm.so.1.1.2
devices:
- name: all
kind: nvidia.com/gpu
"""


def as_json(version: str) -> str:
    mounts = [{"hostPath": f"{LIBRARY}.{version}", "containerPath": f"{LIBRARY}.{version}"}]
    return json.dumps({"kind": "nvidia.com/gpu", "containerEdits": {"mounts": mounts}, "devices": [{"name": "all"}]})


@pytest.mark.parametrize(
    ("files", "status", "measured", "fix"),
    [
        ({"etc/cdi/nvidia.yaml": yaml(DRIVER)}, "ok", f"/etc/cdi/nvidia.yaml of driver {DRIVER}", ""),
        ({"run/cdi/nvidia.json": as_json(DRIVER)}, "ok", DRIVER, ""),
        (
            {"etc/cdi/nvidia.yaml": yaml("550.54.15")},
            "failed",
            f"/etc/cdi/nvidia.yaml is of driver 550.54.15, loaded is {DRIVER}",
            "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",
        ),
        ({"var/run/cdi/nvidia.json": as_json("535.261.03")}, "failed", "is of driver 535.261.03", "nvidia-ctk"),
        (
            {"run/cdi/nvidia.json": as_json("535.261.03"), "etc/systemd/system/rigforge-cdi.service": ""},
            "failed",
            "is of driver 535.261.03",
            "sudo systemctl restart rigforge-cdi",
        ),
        (
            {
                "etc/cdi/nvidia.yaml": yaml("535.261.03"),
                "usr/lib/systemd/system/nvidia-cdi-refresh.service": "",
            },
            "failed",
            "is of driver 535.261.03",
            "sudo rm /etc/cdi/nvidia.yaml && sudo systemctl restart nvidia-cdi-refresh",
        ),
        (
            {"etc/cdi/nvidia.yaml": yaml("550.54.15"), "run/cdi/nvidia.yaml": yaml(DRIVER)},
            "warning",
            "the one in /run/cdi goes before it",
            "sudo rm /etc/cdi/nvidia.yaml",
        ),
        (
            {"etc/cdi/a.yaml": yaml(DRIVER), "etc/cdi/nvidia.yaml": yaml(DRIVER)},
            "failed",
            "/etc/cdi/a.yaml and /etc/cdi/nvidia.yaml both describe nvidia.com/gpu=all",
            "sudo rm /etc/cdi/a.yaml",
        ),
        (
            {"etc/cdi/nvidia.yaml": yaml(DRIVER, "/usr/lib64/libcuda.so")},
            "failed",
            f"names /usr/lib64/libcuda.so.{DRIVER}, which is not there",
            "nvidia-ctk",
        ),
        ({"etc/cdi/nvidia.json": as_json(DRIVER)[:-9]}, "failed", "is no JSON", "nvidia-ctk"),
        ({"etc/cdi/other.yaml": yaml("550.54.15").replace("nvidia.com/gpu", "lab/nic")}, "n/a", "no CDI", ""),
        ({"etc/cdi/nvidia.yaml.old": yaml("550.54.15")}, "n/a", "no CDI", ""),
    ],
)
def test_a_specification_against_the_loaded_driver(
    examine: Examine,
    healthy: Callable[[int], str],
    root: Path,
    files: dict[str, str],
    status: str,
    measured: str,
    fix: str,
) -> None:
    told = healthy(1)
    (root / "etc/cdi/nvidia.yaml").unlink()
    for path, text in files.items():
        write(root / path, text)
    found = examine(told)["checks"]["container-cdi"]
    assert (found["status"], measured in found["measured"], fix in found["fix"]) == (status, True, True), found


@pytest.mark.parametrize(
    "content", [b"kind: nvidia.com/gpu\n" + b"\xff" * 3_000_000, b"kind: nvidia.com/gpu\n.so." * 9999]
)
def test_rubbish_is_no_version(examine: Examine, healthy: Callable[[int], str], root: Path, content: bytes) -> None:
    told = healthy(1)
    (root / "etc/cdi/nvidia.yaml").write_bytes(content)
    assert examine(told)["checks"]["container-cdi"]["status"] == "ok"


#: What `docker info` says of a Docker of snap's.
SNAP = '{"DockerRootDir": "/var/snap/docker/common/var-lib-docker", "Runtimes": {%s}}'


@pytest.mark.parametrize(
    ("info", "files", "status"),
    [
        (SNAP % "", {}, "failed"),
        ("{}", {"snap/docker/current/meta/snap.yaml": "name: docker"}, "failed"),
        (SNAP % '"nvidia": {}', {}, "ok"),
        ('{"DockerRootDir": "/var/lib/docker"}', {"snap/docker/current/meta/snap.yaml": "name: docker"}, "ok"),
    ],
)
def test_docker_from_snap_sees_nothing_of_the_machines(
    examine: Examine, healthy: Callable[[int], str], root: Path, info: str, files: dict[str, str], status: str
) -> None:
    """What it has is its own runtime (canonical/docker-snap, README, NVIDIA support), or no way at all."""
    told = healthy(1)
    program(root, "docker", f"case \"$1\" in info) echo '{info}';; esac")
    for path, text in files.items():
        write(root / path, text)
    found = examine(told)["checks"]["container-runtime"]
    assert found["status"] == status, found
    if status == "failed":
        assert found["measured"].startswith("Docker is snap's")
        assert "snap remove docker" in found["fix"]
