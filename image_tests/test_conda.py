"""conda and mamba: at hand however one comes in, for the environment that is active, and harmless to what is locked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from testinfra.host import Host

from rigforge.verify.expectations import Expectations

pytestmark = pytest.mark.needs("conda")

#: Packages of a channel that is on the machine itself, with what they depend on.
CHANNEL = {
    "pytorch": [],
    "on-pytorch": ["pytorch"],
    "on-newer-pytorch": ["pytorch >=9999"],
    "on-nothing": [],
}


@pytest.fixture(scope="module")
def channel(host: Host) -> Iterator[str]:
    """A channel's index, which is all that a dry run reads."""
    packages = {
        f"{name}-9999-0.conda": {
            "name": name,
            "version": "9999",
            "build": "0",
            "build_number": 0,
            "depends": depends,
            "subdir": "noarch",
            "sha256": "0" * 64,
            "size": 1,
        }
        for name, depends in CHANNEL.items()
    }
    folder: str = host.check_output("mktemp --directory")
    for subdir, content in {"noarch": packages, "linux-64": {}}.items():
        index = json.dumps({"info": {"subdir": subdir}, "packages": {}, "packages.conda": content})
        host.check_output(f"mkdir {folder}/{subdir} && printf %s > {folder}/{subdir}/repodata.json", index)
    host.check_output("chmod -R a+rX %s", folder)
    yield f"file://{folder}"
    host.check_output("rm -r %s", folder)


@pytest.fixture
def installed_with(
    host: Host, expected: Expectations, channel: str, as_root: Callable[[], AbstractContextManager[object]]
) -> Callable[[str], set[str]]:
    """Returns what conda would install into the environment with a package; nothing where it refuses."""

    def ask(package: str) -> set[str]:
        with as_root():
            said = host.run(
                "conda install --dry-run --json --yes --override-channels --channel %s --prefix %s %s",
                channel,
                expected.env,
                package,
            )
        actions = json.loads(said.stdout).get("actions", {})
        return {linked["name"] for linked in actions.get("LINK", [])}

    return ask


def information(host: Host, command: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(host.check_output(command))
    return found


@pytest.mark.parametrize("shell", ["sh -c", "bash -c", "bash -lc"])
def test_conda_is_there_and_knows_the_environment(host: Host, expected: Expectations, shell: str) -> None:
    found = information(host, f"{shell} 'conda info --json'")
    assert found["active_prefix"] == expected.env
    assert found["conda_version"] == expected.versions["conda"]


@pytest.mark.parametrize("shell", ["bash -ic", "bash -lic"])
def test_an_interactive_shell_can_activate_environments(host: Host, shell: str) -> None:
    said = host.check_output(
        f"{shell} 'conda activate base && echo $CONDA_PREFIX && conda deactivate && echo $CONDA_PREFIX'"
    )
    assert said.splitlines()[0] == "/opt/conda"
    assert said.splitlines()[1] != "/opt/conda"


@pytest.mark.parametrize("program", ["conda", "mamba"])
def test_root_has_it_too(host: Host, program: str, as_root: Callable[[], AbstractContextManager[object]]) -> None:
    with as_root():
        assert host.run(f"{program} --version").rc == 0


def test_no_channel_is_asked_but_that_of_the_stack(host: Host) -> None:
    assert information(host, "conda config --show channels --json") == {"channels": ["conda-forge"]}


def test_condas_own_environment_is_protected(
    host: Host, channel: str, as_root: Callable[[], AbstractContextManager[object]]
) -> None:
    with as_root():
        said = host.run(
            "conda install --name base --dry-run --yes --override-channels --channel %s on-nothing", channel
        )
    assert said.rc != 0
    assert "frozen" in said.stderr


def test_other_packages_can_be_installed(installed_with: Callable[[str], set[str]]) -> None:
    assert installed_with("on-nothing") == {"on-nothing"}


@pytest.mark.needs("pytorch")
@pytest.mark.parametrize("package", ["pytorch", "on-pytorch", "on-newer-pytorch"])
def test_no_package_brings_another_pytorch(installed_with: Callable[[str], set[str]], package: str) -> None:
    assert "pytorch" not in installed_with(package)
