"""What a scanner finds is what the lock says, and so what the SBOM lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from packaging.utils import canonicalize_name
from testinfra.host import Host

from rigforge.verify.expectations import Expectations

# Made when the layers are built, and in no archive.
COMPILED_HERE = "nvidia-modules-"


@pytest.fixture(scope="module")
def environment(probe: Callable[[str], Any]) -> dict[str, Any]:
    """The packages of the Python environment, by their metadata."""
    found: dict[str, Any] = probe("inventory")
    return found


@pytest.mark.needs("debs")
def test_dpkg_knows_the_locked_packages_and_no_others(host: Host, expected: Expectations) -> None:
    listed = host.check_output("dpkg-query --show --showformat '${db:Status-Status} ${Package} ${Version}\\n'")
    installed = dict(line.split()[1:] for line in listed.splitlines() if line.startswith("installed "))
    others = {name: version for name, version in installed.items() if not name.startswith(COMPILED_HERE)}
    # Canonical's installer takes boot loaders, and what they recommend, from its medium.
    brought = {name for name in others if f"{name} {others[name].rpartition(':')[2]}" in expected.pool}
    assert {name: others[name] for name in others.keys() - (brought - expected.debs.keys())} == expected.debs


@pytest.mark.needs("driver", "host", "debs", "rigforge")
def test_dpkg_knows_the_compiled_kernel_module(host: Host, expected: Expectations) -> None:
    name = f"{COMPILED_HERE}{expected.versions['kernel']}"
    shown = host.check_output("dpkg-query --show --showformat '${Version}' %s", name)
    assert shown == expected.versions["driver"]


@pytest.mark.needs("wheels")
def test_python_metadata_has_the_locked_wheels_and_no_others(
    environment: dict[str, Any], expected: Expectations
) -> None:
    assert {canonicalize_name(name): version for name, version in environment["versions"]} == expected.wheels
    assert len(environment["versions"]) == len(expected.wheels)


@pytest.mark.needs("wheels")
def test_every_wheel_has_a_record_of_files_that_are_there(environment: dict[str, Any]) -> None:
    assert environment["without_record"] == []
    assert environment["missing_files"] == []
