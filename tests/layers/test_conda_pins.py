"""What conda may not bring into an environment with wheels, asked of a solver as conda asks it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rigforge.errors import RigforgeError
from rigforge.layers.conda import PINNED, conda_names, pin, pins
from rigforge.layers.root import Root
from rigforge.sources.conda import Channel
from tests.sources.conda_channel import CondaChannel

PREFIX = "opt/conda/envs/rig"
SITE_PACKAGES = f"{PREFIX}/lib/python3.12/site-packages"


class Environment:
    """An environment in a root, with records of conda packages and metadata of wheels."""

    def __init__(self, path: Path) -> None:
        self.root = Root(path, path / "files", {}, 0)
        self.prefix, self.site_packages = path / PREFIX, path / SITE_PACKAGES
        self.site_packages.mkdir(parents=True)

    def add_wheel(self, name: str, version: str) -> str:
        info = self.site_packages / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        return str((info / "METADATA").relative_to(self.prefix))

    def add_conda(self, name: str, version: str, build: str, *files: str) -> None:
        known: dict[str, Any] = {"name": name, "version": version, "build": build, "files": files}
        self.root.write(f"{PREFIX}/conda-meta/{name}-{version}-{build}.json", json.dumps(known))

    @property
    def pins(self) -> list[str]:
        return pins(self.prefix, self.site_packages)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    made = Environment(tmp_path / "root")
    made.add_conda("python", "3.12.11", "0")
    return made


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Channel:
    made = CondaChannel(tmp_path_factory.mktemp("served") / "conda-forge")
    made.add("libtorch", "2.14.1", build="cuda130_0")
    for version, build in (("2.14.1", "cuda130_0"), ("2.15.0", "cuda130_0")):
        made.add("pytorch", version, build=build, depends=["libtorch"])
    made.add("pytorch-gpu", "2.14.1", depends=["pytorch ==2.14.1"])
    made.add("lightning", "2.6.0", depends=["pytorch >=2.1"])
    made.add("on-its-libraries", "1.0", depends=["libtorch >=2.14"])
    made.add("newer", "1.0", depends=["pytorch >=2.15"])
    made.add("matplotlib-base", "3.11.0")
    made.add("jupyter_client", "8.7.0")
    made.add("nodejs", "24.0.0")
    made.publish()
    return Channel("conda-forge", made.path.as_uri(), {})


@pytest.mark.parametrize("package", ["lightning", "pytorch", "pytorch =2.15", "pytorch-gpu", "on-its-libraries"])
def test_what_depends_on_pytorch_does_not_bring_it_where_it_is_a_wheel(
    environment: Environment, channel: Channel, package: str
) -> None:
    environment.add_wheel("torch", "2.14.1+cu130")
    assert channel.resolve({package: "asked"})
    with pytest.raises(RigforgeError, match="pypi_0"):
        channel.resolve({package: "asked"}, constraints=environment.pins)


@pytest.mark.parametrize(
    ("wheel", "package"), [("matplotlib", "matplotlib-base"), ("jupyter-client", "jupyter_client")]
)
def test_no_wheel_is_written_over_whatever_conda_calls_it(
    environment: Environment, channel: Channel, wheel: str, package: str
) -> None:
    environment.add_wheel(wheel, "1.0")
    with pytest.raises(RigforgeError, match="pypi_0"):
        channel.resolve({package: "asked"}, constraints=environment.pins)


def test_anything_else_can_be_installed(environment: Environment, channel: Channel) -> None:
    environment.add_wheel("torch", "2.14.1+cu130")
    (package,) = channel.resolve({"nodejs": "asked"}, constraints=environment.pins)
    assert package.name == "nodejs"


def test_condas_own_pytorch_serves_what_depends_on_it_and_stays(environment: Environment, channel: Channel) -> None:
    environment.add_conda("pytorch", "2.14.1", "cuda130_0")
    found = {one.name: one.version for one in channel.resolve({"lightning": "asked"}, constraints=environment.pins)}
    assert found["pytorch"] == "2.14.1"
    with pytest.raises(RigforgeError, match=r"pytorch ==2\.14\.1 cuda130_0"):
        channel.resolve({"newer": "asked"}, constraints=environment.pins)


def test_of_what_conda_has_installed_only_pytorch_is_pinned(environment: Environment) -> None:
    """conda sees those packages, and replaces them as a whole."""
    metadata = environment.add_wheel("numpy", "2.4.0")
    environment.add_conda("numpy", "2.4.0", "py312_0", metadata)
    assert environment.pins == []


def test_a_package_of_conda_that_is_called_like_a_wheel_stays_free(environment: Environment) -> None:
    environment.add_conda("ninja", "1.13.0", "0", "bin/ninja")
    environment.add_wheel("ninja", "1.13.0")
    environment.add_wheel("tzdata", "2025.2")
    assert environment.pins == ["python-tzdata ==2025.2 pypi_0"]


def test_python_can_be_updated_which_brings_pip(environment: Environment) -> None:
    for name in ("pip", "setuptools", "wheel"):
        environment.add_wheel(name, "1.0")
    assert environment.pins == []


def test_names_are_tried_as_conda_forge_writes_them() -> None:
    assert set(conda_names("Jupyter_Client")) == {"jupyter-client", "jupyter_client"}
    assert "ruamel.yaml" in conda_names("ruamel.yaml")
    assert set(conda_names("torch")) == {"pytorch", "libtorch"}


def test_the_file_says_why_and_what_to_do_instead(environment: Environment) -> None:
    environment.add_wheel("torch", "2.14.1")
    pin(environment.root, f"/{PREFIX}", f"/{SITE_PACKAGES}")
    text = (environment.prefix / "conda-meta/pinned").read_text()
    assert text == PINNED.format(pins="libtorch ==2.14.1 pypi_0\npytorch ==2.14.1 pypi_0")
    assert [line for line in text.splitlines() if not line.startswith("#")] == environment.pins


def test_an_environment_that_is_not_condas_has_no_pins(tmp_path: Path) -> None:
    environment = Environment(tmp_path)
    environment.add_wheel("torch", "2.14.1")
    pin(environment.root, f"/{PREFIX}", f"/{SITE_PACKAGES}")
    assert not (environment.prefix / "conda-meta").exists()
