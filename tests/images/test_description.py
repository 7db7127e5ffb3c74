"""What an image tells of itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from rigforge.images.blob import Blob
from rigforge.images.description import IMAGES, Description, offered
from rigforge.layers.plan import Layer
from rigforge.lock.model import Lock
from rigforge.stack.load import load

EPOCH = 1_700_000_000
VERSIONS = {
    "cuda": "12.8.90",
    "cudnn": "9.10.2.21",
    "driver": "535.309.01",
    "jupyterlab": "4.6.6",
    "kernel": "6.1.0-56-amd64",
    "python": "3.11.2",
    "pytorch": "2.10.0",
}
LOCK = Lock("debian-12", "", EPOCH, VERSIONS, (), ())


def describe(image: str, lock: Lock = LOCK) -> Description:
    layers = {name: Blob(Path(name), "", "", 0, f"sha256:{name}", 0) for name in IMAGES[image]}
    return Description.of(load("debian-12"), lock, image, layers)


def environment(description: Description) -> dict[str, str]:
    return dict(entry.split("=", 1) for entry in description.config(EPOCH)["Env"])


def test_an_image_knows_no_kernel_and_no_driver() -> None:
    assert set(describe("runtime").versions) == {"cuda", "cudnn", "jupyterlab", "python", "pytorch"}


def test_an_image_without_the_python_layer_knows_none_of_it() -> None:
    assert set(describe("base").versions) == {"cuda", "cudnn"}
    assert "VIRTUAL_ENV" not in environment(describe("base"))


def test_an_image_requires_the_oldest_driver_of_its_cuda() -> None:
    assert describe("runtime").requires == {"driver": "525.60.13"}
    assert environment(describe("runtime"))["NVIDIA_REQUIRE_CUDA"] == "cuda>=12.0"


def test_an_image_without_cuda_requires_no_driver() -> None:
    description = describe("base", replace(LOCK, versions={"kernel": "6.1.0-56-amd64"}))
    assert "requires" not in json.loads(description.to_json())
    assert set(environment(description)) == {"PATH"}


def test_programs_of_the_environment_come_first() -> None:
    path = environment(describe("dev"))["PATH"].split(":")
    assert path[0] == "/opt/rigforge/python/bin"
    assert path[-1] == "/usr/local/cuda/bin"


def test_labels_name_the_versions_and_the_lock() -> None:
    labels = describe("dev").config(EPOCH)["Labels"]
    assert labels["io.rigforge.version.pytorch"] == "2.10.0"
    assert labels["org.opencontainers.image.created"] == "2023-11-14T22:13:20Z"
    assert labels["io.rigforge.lock"] == f"sha256:{describe('dev').lock}"


def test_the_source_is_named_where_the_stack_names_it() -> None:
    source = "org.opencontainers.image.source"
    assert describe("dev").config(EPOCH, source="https://git.lab/gpu")["Labels"][source] == "https://git.lab/gpu"
    assert source not in describe("dev").config(EPOCH)["Labels"]


def test_the_manifest_has_what_programs_ask_for() -> None:
    manifest = json.loads(describe("dev").to_json())
    assert manifest["layers"]["cuda"] == "sha256:cuda"
    assert {"lock", "layers", "versions"} <= set(manifest)


def test_a_stack_has_the_images_whose_layers_it_has() -> None:
    def layers(*names: str) -> list[Layer]:
        return [Layer(name, None, ()) for name in names]

    assert offered(layers("base", "host")) == ("base",)
    assert offered(layers("base", "cuda", "python", "host")) == ("base", "runtime")
    assert offered(layers("base", "cuda", "python", "devel", "host")) == ("base", "runtime", "dev")


def test_an_environment_of_conda_is_active_and_conda_is_found() -> None:
    config = describe("runtime").config(EPOCH, "/opt/conda/envs/rig")["Env"]
    assert {"CONDA_PREFIX=/opt/conda/envs/rig", "CONDA_DEFAULT_ENV=rig", "CONDA_SHLVL=1"} <= set(config)
    assert any(entry.startswith("PATH=/opt/conda/envs/rig/bin:/opt/conda/condabin:") for entry in config)
    assert not any(entry.startswith("VIRTUAL_ENV=") for entry in config)


def test_conda_is_of_the_python_layer() -> None:
    lock = replace(LOCK, versions={**VERSIONS, "conda": "26.7.1"})
    assert "conda" in describe("runtime", lock).versions
    assert "conda" not in describe("base", lock).versions
