"""The driver's module as DKMS builds it on the machine: where it could not, the first error of its log."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rigforge.doctor.check import Check, Topic
from rigforge.doctor.checks.xid import QUOTED
from rigforge.doctor.kernels import has_module, order
from rigforge.doctor.machine import Machine

BUILD = Topic("driver-build", "DKMS compiles the module for each kernel; where that fails, the kernel has no GPU.")

#: Bytes of a log that are read: compilers stop at the first errors.
MOST = 4 << 20

#: Where DKMS leaves the log of a build that failed.
_LOGS = ("var/lib/dkms/nvidia*/*/build/make.log", "var/lib/dkms/nvidia*/*/*/*/log/make.log")
#: "DKMS make.log for nvidia-current-535.183.01 for kernel 6.8.0-40-generic (x86_64)"; newer ones name DKMS's version.
_HEAD = re.compile(r"make\.log for nvidia\S*?-(?P<driver>\d[\d.]*)\S* for kernel (?P<kernel>\S{1,80})", re.ASCII)
_ERROR = re.compile(r"(?<![\w-])(?i:error) ?[:!]|\*\*\* |: (?:command )?not found|No space left")


@dataclass(frozen=True)
class FailedBuild:
    """A build that failed. `error` is its log's first line with one."""

    kernel: str
    driver: str
    log: str
    error: str
    text: str


def checks(machine: Machine) -> Iterator[Check]:
    if machine.container:
        yield BUILD.not_applicable("the host's, in a container")
        return
    yield BUILD.of(lambda: _build(machine))


def _build(machine: Machine) -> Check:
    if not any((machine.root / "var/lib/dkms").glob("nvidia*")):
        return BUILD.not_applicable("DKMS has no driver of NVIDIA's")
    kernels = {image.name.removeprefix("vmlinuz-") for image in (machine.root / "boot").glob("vmlinuz-*")}
    candidates = {machine.kernel, max(kernels, key=order, default="")}
    for failed in _failed(machine):
        if failed.kernel in candidates and not has_module(machine, failed.kernel):
            return _check(machine, failed)
    return BUILD.ok("no build failed that a kernel waits for")


def _failed(machine: Machine) -> Iterator[FailedBuild]:
    """Yields the builds whose log has an error; one that does not name its kernel counts for the one that runs."""
    for log in sorted({path for pattern in _LOGS for path in machine.root.glob(pattern)}):
        with log.open("rb") as file:
            text = file.read(MOST).decode(errors="replace")
        head = _HEAD.search(text[:2000])
        error = next((line.strip() for line in text.splitlines() if _ERROR.search(line[:400])), "")
        if error:
            kernel = head["kernel"] if head else machine.kernel
            driver = head["driver"] if head else log.relative_to(machine.root).parts[4]
            yield FailedBuild(kernel, driver, f"/{log.relative_to(machine.root)}", error, text)


def _check(machine: Machine, failed: FailedBuild) -> Check:
    values = {"kernel": failed.kernel, "driver": failed.driver}
    lines = [line[:400] for line in failed.text.splitlines()]
    for cause in tomllib.loads(Path(__file__).with_name("dkms.toml").read_text())["cause"]:
        pattern = re.compile(cause["pattern"])
        if any(pattern.search(line) for line in lines):
            why, cure = cause["means"].format(**values), cause["cure"].format(**values)
            break
    else:
        why = f"for a reason that {failed.log} has"
        cure = f"less {failed.log}; until it builds, start the former kernel in the boot menu"
    measured = (
        f"DKMS could not build driver {failed.driver} for kernel {failed.kernel}: {why}: “{failed.error[:QUOTED]}”"
    )
    running = failed.kernel == machine.kernel
    return BUILD.failed(measured, cure) if running else BUILD.warning(measured, cure)
