"""A stack with conda: its two environments in the lock, divided among the layers, and told in conda's own format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rattler.explicit_environment.environment import ExplicitEnvironmentSpec

from rigforge.errors import RigforgeError
from rigforge.layers.plan import plan
from rigforge.lock.conda_export import explicit
from rigforge.lock.model import Lock, read, to_text
from rigforge.release_notes.diff import compare
from rigforge.sources.mirrors import Mirrors, locate
from rigforge.store.store import Store
from tests.lock.workshop import Workshop
from tests.sources.conda_channel import CondaChannel
from tests.sources.serving import served
from tests.sources.wheel_index import WheelIndex

CONDA = """
[driver]
provider = "apt"
version = "535.309.01"
[cuda]
provider = "conda"
version = "12.8"
[pytorch]
provider = "conda"
version = "2.10.0"
[python]
provider = "conda"
version = "3.12"
conda_packages = ["numpy >=2"]
[devel]
conda_packages = ["cuda-nvcc"]
"""


@pytest.fixture
def packages(tmp_path: Path) -> CondaChannel:
    """PyTorch with CUDA 12 and 13, of which the driver 535 runs the former."""
    channel = CondaChannel(tmp_path / "conda-forge")
    for version in ("3.12.11", "3.13.1"):
        channel.add_python(version)
    channel.add("conda", "26.1.0", depends=["python"])
    channel.add("mamba", "2.3.0", depends=["libgcc"])
    channel.add("libgcc", "15.1", suffix=".tar.bz2")
    channel.add("numpy", "2.3.0", depends=["python"])
    for release, runtime in (("12.8", "12.8.90"), ("13.0", "13.0.96")):
        major = release.partition(".")[0]
        channel.add("cuda-version", release, noarch="generic", depends=[f"__cuda >={major}"])
        channel.add("cuda-cudart", runtime, depends=[f"cuda-version {release}.*", "libgcc"])
        channel.add("cuda-nvcc", f"{runtime}.1", depends=[f"cuda-version {release}.*"])
        needs = [f"cuda-cudart =={runtime}", "libcudnn 9.10.*", "numpy", "python"]
        channel.add("pytorch", "2.10.0", build=f"cuda{major}", depends=needs)
        channel.add("pytorch-gpu", "2.10.0", build=f"cuda{major}", depends=[f"pytorch ==2.10.0 cuda{major}"])
    channel.add("libcudnn", "9.10.2.21")
    channel.publish()
    return channel


@pytest.fixture
def with_conda(workshop: Workshop, packages: CondaChannel) -> Iterator[Workshop]:
    with served(packages.path) as url:
        workshop.mirrors = Mirrors({**workshop.mirrors.urls, "conda-forge": url})
        yield workshop


def names(lock: Lock, layer: str, environment: str = "rig") -> set[str]:
    return {file.name for file in lock.part(layer) if file.environment == environment}


def test_both_environments_are_divided_among_the_layers(with_conda: Workshop) -> None:
    lock = with_conda.lock(with_conda.stack(CONDA))
    assert names(lock, "cuda") == {"cuda-cudart", "cuda-version", "libcudnn", "libgcc"}
    assert names(lock, "python") == {"python", "numpy", "pytorch", "pytorch-gpu"}
    assert names(lock, "devel") == {"cuda-nvcc"}
    assert names(lock, "python", "base") == {"conda", "mamba", "libgcc", "python"}
    found = {key: lock.versions[key] for key in ("conda", "cuda", "cudnn", "driver", "python", "pytorch")}
    assert found == {
        "conda": "26.1.0",
        "cuda": "12.8.90",
        "cudnn": "9.10.2.21",
        "driver": "535.309.01",
        "python": "3.12.11",
        "pytorch": "2.10.0",
    }


def test_the_lock_names_the_channel_by_its_role_and_is_read_as_it_was_written(
    with_conda: Workshop, tmp_path: Path
) -> None:
    lock = with_conda.lock(with_conda.stack(CONDA))
    assert "127.0.0.1" not in to_text(lock)
    (torch,) = (file for file in lock.files if file.name == "pytorch")
    assert (torch.kind, torch.file) == ("conda", "conda-forge:linux-64/pytorch-2.10.0-cuda12.conda")
    (tmp_path / "again.lock").write_text(to_text(lock))
    assert read(tmp_path / "again.lock") == lock


def test_a_cuda_that_the_driver_does_not_run_is_refused_with_its_key(with_conda: Workshop) -> None:
    stack = with_conda.change(with_conda.stack(CONDA), '"12.8"', '"13.0"')
    with pytest.raises(RigforgeError, match="__cuda >=13") as error:
        with_conda.lock(stack)
    assert "(cuda.version)" in error.value.hint


def test_without_a_driver_the_stack_s_own_cuda_counts(with_conda: Workshop) -> None:
    stack = with_conda.change(with_conda.stack(CONDA), '"12.8"', '"13.0"')
    stack = with_conda.change(stack, 'provider = "apt"\nversion = "535.309.01"', "")
    assert with_conda.lock(stack).versions["cuda"] == "13.0.96"


def test_another_cudnn_than_pytorch_takes_is_refused(with_conda: Workshop) -> None:
    stack = with_conda.stack(CONDA, '[cudnn]\nversion = "9.24"\n')
    with pytest.raises(RigforgeError, match="libcudnn"):
        with_conda.lock(stack)


def test_wheels_come_on_top_of_conda_s_python_and_none_of_what_conda_has(
    with_conda: Workshop, wheels: WheelIndex
) -> None:
    wheels.add("numpy", "2.3.0")
    text = CONDA.replace('conda_packages = ["cuda-nvcc"]', "")
    for version in ("12.8", "2.10.0"):
        text = text.replace(f'provider = "conda"\nversion = "{version}"', f'provider = "pypi"\nversion = "{version}"')
    lock = with_conda.lock(with_conda.stack(text))
    wheels_of = {file.name for file in lock.files if file.kind == "wheel" and file.layer != "doctor"}
    assert wheels_of == {"torch", "nvidia-cuda-runtime-cu12", "nvidia-cudnn-cu12"}
    assert "python" in names(lock, "cuda"), "the wheels of CUDA need what installs them"
    assert names(lock, "python") == {"numpy"}


def test_the_layers_are_told_which_packages_go_into_which_prefix(with_conda: Workshop) -> None:
    stack = with_conda.stack(CONDA)
    layers = {layer.name: layer for layer in plan(stack, with_conda.lock(stack))}
    assert set(layers["cuda"].options_by_name["conda"]) == {"/opt/conda/envs/rig"}
    assert set(layers["python"].options_by_name["conda"]) == {"/opt/conda", "/opt/conda/envs/rig"}
    assert layers["python"].options_by_name["site_packages"] == "/opt/conda/envs/rig/lib/python3.12/site-packages"


def test_the_store_fetches_packages_of_the_role_and_refuses_what_was_altered(
    with_conda: Workshop, packages: CondaChannel, tmp_path: Path
) -> None:
    lock = with_conda.lock(with_conda.stack(CONDA))
    files = [file for file in lock.files if file.kind == "conda"]
    store = Store(tmp_path / "store")
    store.fetch(files[:1], with_conda.mirrors)
    assert store.has(files[0])
    (altered,) = (file for file in files if file.name == "pytorch")
    package = packages.path / altered.file.partition(":")[2]
    package.write_bytes(package.read_bytes()[:-1] + b"x")
    with pytest.raises(RigforgeError, match="pytorch"):
        store.fetch([altered], with_conda.mirrors)
    assert not store.has(altered)


def test_a_changed_stack_keeps_its_packages_and_an_upgrade_takes_new_ones(
    with_conda: Workshop, packages: CondaChannel
) -> None:
    stack = with_conda.stack(CONDA)
    lock = with_conda.lock(stack)
    packages.add("numpy", "2.4.0", depends=["python"])
    packages.publish()
    stack = with_conda.change(stack, '"numpy >=2"', '"numpy"')
    kept = {file.name: file.version for file in with_conda.lock(stack, previous=lock).files}
    assert kept["numpy"] == "2.3.0"
    renewed = with_conda.lock(stack, previous=lock, upgrade=True)
    (change,) = (change for layer in compare(lock, renewed).layers for change in layer.packages)
    assert (change.package, change.format, change.kind, change.new) == ("numpy", "conda", "updated", "2.4.0")


class TestExplicit:
    def test_is_read_by_rattler_as_the_packages_of_the_environment(self, with_conda: Workshop) -> None:
        lock = with_conda.lock(with_conda.stack(CONDA))
        spec = ExplicitEnvironmentSpec.from_str(explicit(lock, "rig", "http://mirror.lab/conda-forge"))
        files = {file for file in lock.files if file.environment == "rig"}
        assert str(spec.platform) == "linux-64"
        assert {entry.url for entry in spec.packages} == {
            f"http://mirror.lab/conda-forge/{file.file.partition(':')[2]}#sha256:{file.sha256}" for file in files
        }

    def test_of_an_environment_that_is_not_there_names_those_there_are(self, with_conda: Workshop) -> None:
        lock = with_conda.lock(with_conda.stack(CONDA))
        with pytest.raises(RigforgeError, match="no conda environment 'gir'") as error:
            explicit(lock, "gir", "")
        assert error.value.hint == "it has base, rig"
        with pytest.raises(RigforgeError, match="no conda environment"):
            explicit(replace(lock, files=()), "rig", "")


def test_a_package_is_where_the_role_is(with_conda: Workshop) -> None:
    import requests

    lock = with_conda.lock(with_conda.stack(CONDA))
    (libgcc, *_) = (file for file in lock.files if file.name == "libgcc")
    place = locate(libgcc, with_conda.mirrors, requests.Session())
    assert place == f"{with_conda.mirrors.url('conda-forge')}/linux-64/libgcc-15.1-0.tar.bz2"
