"""JupyterLab as a service of the machine's user: there after a boot, for nobody without its token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host

from rigforge.verify.expectations import Expectations

pytestmark = pytest.mark.needs("machine", "jupyterlab")

PACKAGE = """\
[project]
name = "rigforge-own-package"
version = "1"
[tool.setuptools]
py-modules = ["rigforge_own_package"]
"""


@pytest.fixture(scope="module")
def jupyter(probe: Callable[[str], Any]) -> dict[str, Any]:
    """What the service says once it answers."""
    found: dict[str, Any] = probe("jupyter_service")
    return found


def test_the_users_services_start_without_a_login(host: Host, expected: Expectations) -> None:
    assert host.check_output("loginctl show-user --property=Linger --value %s", expected.username) == "yes"


def test_the_service_runs(host: Host, jupyter: dict[str, Any]) -> None:
    assert host.check_output("systemctl --user is-active jupyter.service") == "active"
    assert host.check_output("systemctl --user list-units --failed --no-legend --plain") == ""


def test_it_never_had_to_be_restarted(host: Host, jupyter: dict[str, Any]) -> None:
    assert host.check_output("systemctl --user show --property=NRestarts --value jupyter.service") == "0"


def test_only_the_machine_itself_reaches_it(host: Host, jupyter: dict[str, Any]) -> None:
    listening = host.check_output("ss --listening --tcp --numeric --no-header 'sport = :8888'").splitlines()
    assert [line.split()[3] for line in listening] == ["127.0.0.1:8888"]


def test_it_wants_its_token(jupyter: dict[str, Any]) -> None:
    assert jupyter["without_token"] == 403
    assert jupyter["with_token"] == 200


def test_the_token_is_long_and_its_owners_alone(jupyter: dict[str, Any]) -> None:
    assert jupyter["token_length"] >= 32
    assert jupyter["token_mode"] == "0o600"


@pytest.mark.parametrize("place", ["on_the_command_line", "in_the_journal", "in_the_report"])
def test_the_token_is_not_told(jupyter: dict[str, Any], place: str) -> None:
    assert jupyter[f"token_is_{place}"] is False


@pytest.mark.needs("pytorch")
def test_the_kernel_is_called_after_what_it_has(jupyter: dict[str, Any], expected: Expectations) -> None:
    python, pytorch = (".".join(expected.versions[name].split(".")[:2]) for name in ("python", "pytorch"))
    assert jupyter["default_kernel"] == f"Python {python}, PyTorch {pytorch}"
    assert jupyter["logo"] == 200


@pytest.mark.needs("pytorch")
def test_a_notebook_computes_with_pytorch(host: Host, jupyter: dict[str, Any], expected: Expectations) -> None:
    """By the kernel that the service offers, which is started and asked as JupyterLab does it."""
    program = (
        "from jupyter_client.manager import run_kernel\n"
        "with run_kernel(kernel_name='python3', startup_timeout=600) as client:\n"
        "    client.execute_interactive('import torch; print(torch.ones(2).sum())', timeout=600)\n"
    )
    path = "JUPYTER_PATH=/usr/share/rigforge/jupyter"
    assert host.check_output(f"{path} %s -c %s", f"{expected.env}/bin/python", program).strip() == "tensor(2.)"


def test_users_install_packages_of_their_own_on_top_of_the_machines(host: Host, expected: Expectations) -> None:
    folder = host.check_output("mktemp --directory")
    host.check_output("printf %s > %s", PACKAGE, f"{folder}/pyproject.toml")
    host.check_output("printf 'answer = 42' > %s", f"{folder}/rigforge_own_package.py")
    offline = "--quiet --no-build-isolation --no-deps --disable-pip-version-check"
    host.check_output(f"cd / && rigforge-python -m pip install {offline} %s", folder)
    program = "import jupyterlab, rigforge_own_package as own; print(own.answer, jupyterlab.__file__)"
    answer, inherited = host.check_output("cd / && rigforge-python -c %s", program).split()
    assert answer == "42"
    assert inherited.startswith(f"{expected.env}/")
    assert host.run("cd / && %s -c 'import rigforge_own_package'", f"{expected.env}/bin/python").rc != 0
    host.check_output("rigforge-python -m pip uninstall --quiet --yes rigforge-own-package")
    host.check_output("rm -r %s", folder)


def test_the_gpu_dashboard_is_enabled_and_knows_whether_there_is_a_gpu(jupyter: dict[str, Any], has_gpu: bool) -> None:
    assert jupyter["extensions"]["jupyterlab-nvdashboard"] is True
    # Its server's side does not load where NVML is installed and the driver is not loaded.
    assert bool(jupyter["dashboard"] and jupyter["dashboard"]["has_gpu"]) == has_gpu
