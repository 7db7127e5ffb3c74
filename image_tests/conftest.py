"""Tests of a built machine or image, run with testinfra: `pytest image_tests --hosts=… --expectations=FILE`.

The file says what was built (rigforge/verify/expectations.py). A test of a part that was not built is deselected
when the tests are collected, and counted; none is skipped while running.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

from rigforge.verify.expectations import Expectations

PROBES = Path(__file__).parent / "probes"

#: Units and the first boot may take this long to settle, without KVM (seconds).
SETTLE = 900
#: The SSH server is away for a few seconds at a time (seconds).
CONNECT = 120
#: Longest run of one probe: the first import of PyTorch reads 2 GB (seconds).
PROBE = 900

_EXPECTATIONS = pytest.StashKey[Expectations]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--expectations",
        metavar="FILE",
        default=os.environ.get("RIGFORGE_EXPECTATIONS"),
        help="JSON file that says what was built (default: $RIGFORGE_EXPECTATIONS)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "needs(*parts): only where these were built: a layer, a key of the lock's versions, machine, container, gpu",
    )
    file = config.getoption("--expectations")
    if not file:
        raise pytest.UsageError(
            "name what was built with --expectations=FILE; verify-iso and verify-images write that file"
        )
    try:
        config.stash[_EXPECTATIONS] = Expectations.model_validate_json(Path(file).read_text())
    except (OSError, ValueError) as error:
        raise pytest.UsageError(f"cannot read expectations from {file}: {error}") from error


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    parts = config.stash[_EXPECTATIONS].parts
    needed = {item: {part for mark in item.iter_markers("needs") for part in mark.args} for item in items}
    absent = [item for item in items if not needed[item] <= parts]
    config.hook.pytest_deselected(items=absent)
    items[:] = [item for item in items if needed[item] <= parts]


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> str:
    expected = config.stash[_EXPECTATIONS]
    return f"{len(items)} tests apply to {expected.stack} with {', '.join(sorted(expected.parts))}"


@pytest.fixture(scope="session")
def expected(request: pytest.FixtureRequest) -> Expectations:
    """What the machine must be like."""
    return request.config.stash[_EXPECTATIONS]


@pytest.fixture(scope="module", autouse=True)
def settled(host: Host, expected: Expectations) -> None:
    """Waits until the first boot is over: SSH answers long before, and is restarted on the way."""
    if "machine" in expected.parts:
        wait_for_connection(host)
        host.run("command -v cloud-init && timeout %s cloud-init status --wait", str(SETTLE))
        host.run("timeout %s systemctl is-system-running --wait", str(SETTLE))


def wait_for_connection(host: Host) -> None:
    """Waits until a command can be run: cloud-init restarts the SSH server when it has written its settings."""
    end = time.monotonic() + CONNECT
    while True:
        try:
            host.run("true")
            return
        except RuntimeError:  # testinfra's, for what ssh itself fails with
            if time.monotonic() > end:
                raise
        time.sleep(1)


@pytest.fixture(scope="module")
def as_root(host: Host) -> Callable[[], AbstractContextManager[object]]:
    """Gives commands root's rights; in a container they have them, and there need be no sudo."""
    return nullcontext if host.check_output("id -u") == "0" else host.sudo


@pytest.fixture(scope="module")
def has_gpu(host: Host, expected: Expectations) -> bool:
    """Tells whether a display or 3D controller of NVIDIA (PCI vendor 10de, class 03) is in the machine.

    A container sees those of its host on the bus, whether or not it was given them.
    """
    if "container" in expected.parts:
        return expected.gpu
    vendors = host.run("grep --files-with-matches 0x10de /sys/bus/pci/devices/*/vendor").stdout.split()
    classes = [host.file(vendor.replace("/vendor", "/class")).content_string for vendor in vendors]
    return any(name.startswith("0x03") for name in classes)


@pytest.fixture(scope="module")
def probe(host: Host, expected: Expectations) -> Callable[[str], Any]:
    """Runs a program of probes/ on the machine, with the Python that its users get, and returns what it found."""
    python = f"{expected.env}/bin/python" if expected.env else "python3"

    def run(name: str) -> Any:
        program = (PROBES / f"{name}.py").read_text()
        result = host.run("timeout %s %s -c %s", str(PROBE), python, program)
        assert result.rc == 0, f"probe {name} ended with {result.rc}:\n{result.stderr}"
        return json.loads(result.stdout.splitlines()[-1])

    return run
