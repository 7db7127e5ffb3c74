"""The name of an image, and whether the engine has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rigforge.engine import image
from rigforge.engine.find import Engine
from rigforge.errors import RigforgeError
from tests.engine.docker_daemon import answering

DOCKER = Engine("docker", (20, 10))
PODMAN = Engine("podman", (4, 3))


def test_an_image_is_named_after_stack_and_image() -> None:
    assert image.reference("debian-12", "dev") == "rigforge/debian-12:dev"


@pytest.mark.parametrize(
    ("stack", "name", "blamed"),
    [
        ("Lab", "dev", "the stack's name is 'Lab'"),
        ("my lab", "dev", "the stack's name is 'my lab'"),
        ("lab-", "dev", "the stack's name is 'lab-'"),
        ("lab", "a b", "--image is 'a b'"),
        ("lab", "", "--image is ''"),
        ("lab", "-dev", "--image is '-dev'"),
    ],
)
def test_a_name_that_engines_refuse_is_refused_first(stack: str, name: str, blamed: str) -> None:
    with pytest.raises(RigforgeError, match=f"rigforge/{stack}:{name} is not a valid image reference: {blamed}"):
        image.reference(stack, name)


def test_the_first_stack_is_taken_whose_image_docker_has(socket: Path) -> None:
    with answering(socket, images={"rigforge/smoke:dev", "rigforge/debian-12:dev", "rigforge/ubuntu-24.04:base"}):
        assert image.loaded(DOCKER, ["ubuntu-24.04", "debian-12", "smoke"], "dev") == "rigforge/debian-12:dev"


def test_the_first_stack_is_taken_whose_image_podman_has(podman: Callable[..., Path]) -> None:
    podman(images="rigforge/smoke:dev rigforge/debian-12:runtime")
    assert image.loaded(PODMAN, ["debian-12", "smoke"], "dev") == "rigforge/smoke:dev"


def test_an_image_that_is_not_loaded_comes_with_the_command_that_loads_it(socket: Path) -> None:
    with answering(socket), pytest.raises(RigforgeError, match="rigforge/smoke:base is not loaded in docker") as raised:
        image.loaded(DOCKER, ["smoke"], "base")
    assert raised.value.hint == "invoke build-images --stack smoke --image base --load"


def test_where_no_stack_was_named_the_build_chooses_one_too(podman: Callable[..., Path]) -> None:
    podman()
    with pytest.raises(RigforgeError, match="no stack's image 'dev' is loaded in podman") as raised:
        image.loaded(PODMAN, ["debian-12", "smoke"], "dev")
    assert raised.value.hint == "invoke build-images --image dev --load"


def test_a_daemon_that_is_gone_is_no_missing_image(socket: Path) -> None:
    with pytest.raises(RigforgeError, match="there is no socket"):
        image.loaded(DOCKER, ["smoke"], "dev")


@pytest.mark.parametrize("name", ["registry.lab:5000/gpu", "registry.lab/team/gpu-images", "[::1]:5000/gpu"])
def test_a_repository_has_a_registry_and_a_path(name: str) -> None:
    assert image.repository(name) == name


@pytest.mark.parametrize("name", ["gpu", "registry.lab:5000/gpu:dev", "registry.lab/GPU", "registry.lab/", "/gpu"])
def test_what_is_no_repository_is_refused_before_anything_is_built(name: str) -> None:
    with pytest.raises(RigforgeError, match=r"not a repository of a registry"):
        image.repository(name)
