"""Runs a container image with what an NVIDIA driver puts into containers, and tests it by `docker exec`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.errors import APIError
from docker.types import DeviceRequest, Mount

from rigforge import console, process
from rigforge.engine import gpus
from rigforge.engine.find import Engine, daemon
from rigforge.errors import RigforgeError
from rigforge.images.description import Description
from rigforge.lock.model import Lock
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.model import Stack
from rigforge.store.store import Store
from rigforge.verify import driver, suite
from rigforge.verify.expectations import of_image
from rigforge.verify.files import REPORT
from rigforge.verify.report import ImageReport, ImageTestsError


@dataclass(frozen=True)
class Injection:
    """What a container under test gets: a name for it, the version of a driver that is not the machine's own, whether
    there is a GPU, and the arguments of the Docker SDK that bring it all."""

    name: str
    arguments: Mapping[str, Any]
    driver: str = ""
    gpu: bool = False


@contextmanager
def injection(engine: Engine, stack: Stack, lock: Lock, mirrors: Mirrors, store: Store) -> Iterator[Injection]:
    """Yields this machine's GPUs where it has any, else the files of the stack's locked driver, else nothing."""
    access, _, _ = gpus.choose(engine, gpus.look(engine))
    if access == "toolkit":
        request = DeviceRequest(count=-1, capabilities=[["gpu"]])
        yield Injection("GPUs", {"device_requests": [request]}, gpu=True)
    elif access == "cdi":
        yield Injection("GPUs", _by_cdi(gpus.CDI_NAME), gpu=True)
    elif "driver" not in lock.versions:
        yield Injection("no driver", {})
    else:
        with tempfile.TemporaryDirectory(prefix="rigforge-driver-") as directory:
            folder = Path(directory)
            # The daemon's root may be mapped to somebody else.
            folder.chmod(0o755)
            driver.unpack(stack, lock, store, mirrors, folder)
            version = lock.versions["driver"]
            with driver.offered(folder, engine.cdi_directories) as name:
                route, arguments = (" by CDI", _by_cdi(name)) if name else ("", _by_mounts(folder))
                yield Injection(f"files of driver {version}{route}, no GPU", arguments, driver=version)


def _by_cdi(name: str) -> dict[str, Any]:
    return {"device_requests": [DeviceRequest(driver="cdi", device_ids=[name])]}


def _by_mounts(root: Path) -> dict[str, Any]:
    return {"mounts": [Mount(target, str(file), "bind", read_only=True) for target, file in driver.mounts(root)]}


def verify_image(reference: str, description: Description, lock: Lock, injected: Injection, out: Path) -> ImageReport:
    """Tests the loaded image `reference`, made from `lock`; logs and results go to `out`.

    Raises ImageTestsError (with the report) when a test fails, RigforgeError where the container does not start.
    """
    out.mkdir(parents=True, exist_ok=True)
    expectations, results, log = out / "expectations.json", out / "tests.xml", out / "tests.log"
    report_file = out / REPORT
    for file in (results, log, report_file):
        file.unlink(missing_ok=True)
    expectations.write_text(of_image(description, lock, injected.driver, gpu=injected.gpu).model_dump_json(indent=2))
    with console.step(f"testing {reference} with {injected.name}"), _started(reference, injected) as container:
        tests = suite.command(f"docker://root@{container}", expectations, results)
        process.run(tests, log=log, env=os.environ, check=False)
    suite_results = suite.read_junit(results)
    report = ImageReport(
        stack=description.stack,
        image=description.image,
        injected=injected.name,
        seconds_of_tests=suite_results.seconds,
        passed=suite_results.passed,
        failed=len(suite_results.failures),
        failures=suite_results.failures,
        skipped=suite_results.skipped,
        log=log,
    )
    report_file.write_text(report.to_json())
    if report.failed:
        raise ImageTestsError(report)
    return report


@contextmanager
def _started(reference: str, injected: Injection) -> Iterator[str]:
    """Yields the id of a container of the image that waits; it is removed at the end."""
    with daemon() as client:
        try:
            container = client.containers.run(
                reference, ["sleep", "infinity"], detach=True, network_mode="none", **injected.arguments
            )
        except APIError as error:
            raise RigforgeError(f"docker could not start {reference}: {error.explanation}") from error
        try:
            # As NVIDIA's container toolkit does after it has mounted the files.
            container.exec_run(["ldconfig"], user="root")
            yield str(container.id)
        finally:
            container.remove(force=True)
