"""How GPUs reach a container, and what is said where they do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rigforge.engine import gpus
from rigforge.engine.find import Engine
from rigforge.engine.gpus import Hardware

CDI = ("/etc/cdi", "/var/run/cdi")
OLD_DOCKER = Engine("docker", (20, 10))
DOCKER_WITHOUT_CDI = Engine("docker", (27, 5))
DOCKER = Engine("docker", (28, 3), cdi_directories=CDI)
OLD_PODMAN = Engine("podman", (4, 0))
PODMAN = Engine("podman", (4, 3), rootless=True, cdi_directories=CDI)

NOTHING = Hardware(gpu=True, toolkit=False, cdi=False)
TOOLKIT = Hardware(gpu=True, toolkit=True, cdi=False)
SPECIFICATION = Hardware(gpu=True, toolkit=False, cdi=True)
BOTH = Hardware(gpu=True, toolkit=True, cdi=True)
NO_GPU = Hardware(gpu=False, toolkit=True, cdi=True)


@pytest.mark.parametrize(
    ("engine", "hardware", "access"),
    [
        (OLD_DOCKER, TOOLKIT, "toolkit"),
        (OLD_DOCKER, BOTH, "toolkit"),
        (DOCKER, BOTH, "toolkit"),
        (DOCKER, SPECIFICATION, "cdi"),
        (Engine("docker", (18, 9)), TOOLKIT, "none"),
        (PODMAN, SPECIFICATION, "cdi"),
        (PODMAN, BOTH, "cdi"),
        (PODMAN, TOOLKIT, "none"),
        (OLD_PODMAN, SPECIFICATION, "none"),
        (DOCKER_WITHOUT_CDI, SPECIFICATION, "none"),
    ],
    ids=str,
)
def test_the_toolkit_comes_before_cdi_and_podman_knows_only_cdi(
    engine: Engine, hardware: Hardware, access: str
) -> None:
    assert gpus.choose(engine, hardware)[0] == access


@pytest.mark.parametrize("engine", [OLD_DOCKER, DOCKER, PODMAN], ids=str)
def test_a_machine_without_a_gpu_lacks_nothing(engine: Engine) -> None:
    assert gpus.choose(engine, NO_GPU) == ("none", "", "")


@pytest.mark.parametrize(
    ("engine", "hardware", "missing", "cure"),
    [
        (OLD_DOCKER, NOTHING, "container toolkit is not installed", "nvidia-ctk runtime configure"),
        (DOCKER, NOTHING, "container toolkit is not installed", "nvidia-ctk runtime configure"),
        (OLD_DOCKER, SPECIFICATION, "docker 20.10 does not read CDI specifications", "--engine podman"),
        (DOCKER_WITHOUT_CDI, SPECIFICATION, "docker 27.5 has CDI switched off", '"features": {"cdi": true}'),
        (PODMAN, NOTHING, "no CDI specification of kind nvidia.com/gpu is in /etc/cdi", "nvidia-ctk cdi generate"),
        (OLD_PODMAN, SPECIFICATION, "podman 4.0 does not read CDI specifications", "podman 4.1"),
    ],
    ids=str,
)
def test_what_is_missing_is_named_with_its_cure(engine: Engine, hardware: Hardware, missing: str, cure: str) -> None:
    access, said, cured = gpus.choose(engine, hardware)
    assert access == "none"
    assert missing in said and cure in cured


# What the machine has


def pci_device(root: Path, vendor: str, pci_class: str) -> None:
    device = root / "sys/bus/pci/devices/0000:01:00.0"
    device.mkdir(parents=True)
    (device / "vendor").write_text(f"{vendor}\n")
    (device / "class").write_text(f"{pci_class}\n")


@pytest.mark.parametrize(
    ("vendor", "pci_class", "gpu"),
    [
        ("0x10de", "0x030000", True),
        ("0x10de", "0x030200", True),
        ("0x10de", "0x040300", False),
        ("0x8086", "0x030000", False),
    ],
    ids=["GeForce", "data centre", "a GPU's audio", "Intel"],
)
def test_a_gpu_is_a_display_controller_of_nvidia(tmp_path: Path, vendor: str, pci_class: str, gpu: bool) -> None:
    pci_device(tmp_path, vendor, pci_class)
    assert gpus.look(DOCKER, tmp_path).gpu is gpu


def test_a_machine_without_pci_has_no_gpu(tmp_path: Path) -> None:
    assert gpus.look(DOCKER, tmp_path) == Hardware(gpu=False, toolkit=False, cdi=False)


def test_the_toolkit_is_known_by_its_hook(tmp_path: Path, install: Callable[..., Path]) -> None:
    install("nvidia-container-runtime-hook")
    assert gpus.look(OLD_DOCKER, tmp_path).toolkit


def test_the_toolkit_is_known_by_dockers_runtime(tmp_path: Path) -> None:
    assert gpus.look(Engine("docker", (20, 10), runtimes=frozenset({"runc", "nvidia"})), tmp_path).toolkit


@pytest.mark.parametrize(
    ("name", "text", "cdi"),
    [
        ("nvidia.yaml", "---\ncdiVersion: 0.5.0\nkind: nvidia.com/gpu\ndevices: []\n", True),
        ("nvidia.json", '{"cdiVersion":"0.5.0","kind":"nvidia.com/gpu","devices":[]}', True),
        ("nvidia.json", '{\n  "cdiVersion": "0.5.0",\n  "kind": "nvidia.com/gpu"\n}', True),
        ("mig.yaml", "cdiVersion: 0.5.0\nkind: nvidia.com/gpu-shared\n", False),
        ("amd.yaml", "cdiVersion: 0.5.0\nkind: amd.com/gpu\n", False),
        ("nvidia.yaml.bak", "cdiVersion: 0.5.0\nkind: nvidia.com/gpu\n", False),
    ],
)
@pytest.mark.parametrize(
    ("engine", "folder"), [(OLD_DOCKER, "etc/cdi"), (OLD_DOCKER, "run/cdi"), (PODMAN, "var/run/cdi")], ids=str
)
def test_a_specification_is_known_by_its_kind(
    tmp_path: Path, engine: Engine, folder: str, name: str, text: str, cdi: bool
) -> None:
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / name).write_text(text)
    assert gpus.look(engine, tmp_path).cdi is cdi


def test_a_specification_where_the_engine_does_not_look_is_none(tmp_path: Path) -> None:
    (tmp_path / "etc/cdi").mkdir(parents=True)
    (tmp_path / "etc/cdi/nvidia.yaml").write_text("kind: nvidia.com/gpu\n")
    assert not gpus.look(Engine("docker", (28, 3), cdi_directories=("/opt/cdi",)), tmp_path).cdi
