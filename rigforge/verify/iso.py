"""Boots an install medium with an empty disk, lets it install unattended, and tests the machine over SSH."""

from __future__ import annotations

import json
import math
import shlex
import socket
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rigforge import console, process
from rigforge.artifacts.iso import Firmware
from rigforge.autoinstall import seed_image
from rigforge.autoinstall.render import rendered
from rigforge.errors import RigforgeError
from rigforge.images.iso import extents, extract
from rigforge.installers import of_medium
from rigforge.lock.model import Lock
from rigforge.stack.model import Stack
from rigforge.verify import firmware as uefi
from rigforge.verify import packer, passphrase, qemu, serial, suite
from rigforge.verify.expectations import TEST_HOSTNAME, expectations, stand_in
from rigforge.verify.files import Files
from rigforge.verify.report import ImageTestsError, Report
from rigforge.verify.watch import Watch, watching

_GIB = 1 << 30
_SMALLEST_DISK = 12 * _GIB

#: The volume with the document has room for the logs of an installation that fails (KiB).
_SEED_KIB = 64 << 10

_SSH_CONFIG = """\
Host *
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  IdentitiesOnly yes
  LogLevel ERROR
  ConnectTimeout 120
  ControlPath {directory}/%C
"""


def verify_iso(
    iso: Path,
    stack: Stack,
    lock: Lock,
    firmware: Firmware,
    out: Path,
    *,
    cpus: int = 2,
    memory_mib: int | None = None,
    timeout_minutes: int | None = None,
) -> Report:
    """Installs `iso` on an empty disk under `firmware`, tests the machine and leaves its disk in `out`.

    The medium's own autoinstall document is overridden by a volume labelled CIDATA, with a key made for this run,
    so nobody's own key is needed. `timeout_minutes` is for installing and the first boot together; it and
    `memory_mib` go by the size of the system where they are not given.

    Raises ImageTestsError (with the report) when a test fails, and RigforgeError with the last lines of the serial
    console when the machine does not get as far as being tested.
    """
    medium = read_medium(iso)
    if medium["stack"] != stack.name:
        raise RigforgeError(
            f"{iso} was made from the stack {medium['stack']}, not from {stack.name}", "name the stack with --stack"
        )
    files = Files(out.absolute())
    test_stack = stand_in(stack, files.prepare())
    pool = extents(iso, "/pool") if of_medium(medium) == "subiquity" else {}
    files.expectations.write_text(expectations(test_stack, lock, firmware, medium, pool).model_dump_json(indent=2))
    seed = seed_image.nocloud(rendered(test_stack, lock), TEST_HOSTNAME)
    seed_image.write_volume(seed, files.cidata, _SEED_KIB)
    # The path of a socket may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="rigforge-") as sockets:
        machine = qemu.VirtualMachine(
            firmware=firmware,
            accelerator=qemu.accelerator(),
            iso=iso.absolute(),
            cidata=files.cidata,
            disk=files.disk,
            flash=_flash(firmware, stack, files.variables),
            serial_log=files.serial_log,
            serial_socket=Path(sockets) / "serial",
            pidfile=files.pidfile,
            cpus=cpus,
            memory_mib=memory_mib or memory(medium["rootfs_bytes"]),
        )
        with (
            console.step(f"install {iso.name} under {firmware} ({machine.accelerator}) and test the machine"),
            passphrase.typed(test_stack.storage.passphrase, machine.serial_log, machine.serial_socket),
        ):
            size = disk_bytes(medium["rootfs_bytes"])
            minutes = timeout_minutes or patience(medium["rootfs_bytes"], encrypted=test_stack.storage.layout == "luks")
            watch = _build(files, machine, test_stack.machine.username, size, minutes, Path(sockets))
            report = _report(stack.name, machine, files, watch)
            files.report.write_text(report.to_json())
            if report.failed:
                raise ImageTestsError(report)
    return report


def read_medium(iso: Path) -> dict[str, Any]:
    """Returns what the medium says of itself (rigforge/medium.json). Raises RigforgeError where it is not ours."""
    if not iso.is_file():
        raise RigforgeError(f"no such ISO: {iso}", "make one with: invoke build-iso")
    with tempfile.TemporaryDirectory(prefix="rigforge-") as directory:
        copy = Path(directory) / "medium.json"
        if not extract(iso, "rigforge/medium.json", copy):
            raise RigforgeError(f"{iso} is not an install medium of Rigforge: it has no rigforge/medium.json")
        medium: dict[str, Any] = json.loads(copy.read_text())
        return medium


def disk_bytes(rootfs_bytes: int) -> int:
    """Returns the size of the empty disk for a root file system of `rootfs_bytes`: room for it, and to work."""
    return max(_SMALLEST_DISK, math.ceil((1.25 * rootfs_bytes + 6 * _GIB) / _GIB) * _GIB)


def patience(rootfs_bytes: int, *, encrypted: bool = False) -> int:
    """Returns the minutes after which an emulated machine that has not answered is given up.

    An encrypted one makes its initramfs itself, which takes it 20 minutes, and then hashes the passphrase.
    """
    return 30 + math.ceil(8 * rootfs_bytes / _GIB) + (30 if encrypted else 0)


def memory(rootfs_bytes: int) -> int:
    """Returns the memory of the machine in MiB: PyTorch, in the large systems, wants more than a small server has."""
    return 2048 if rootfs_bytes < 4 * _GIB else 4096


def _flash(firmware: Firmware, stack: Stack, variables: Path) -> uefi.Flash | None:
    if firmware == "bios":
        return None
    if firmware == "uefi":
        return uefi.flash(False, variables)
    certificate = stack.secure_boot.certificate
    return uefi.flash(True, variables, machine_owner_key=Path(certificate) if certificate else None)


def _build(
    files: Files, machine: qemu.VirtualMachine, username: str, disk: int, timeout_minutes: int, sockets: Path
) -> Watch:
    """Runs Packer and returns what was seen. A failed test is no error here, anything else that fails is."""
    version = packer.version()
    port = free_port()
    ssh_config = files.out / "ssh_config"
    ssh_config.write_text(_SSH_CONFIG.format(directory=sockets))
    variables = packer.Variables(
        iso=str(machine.iso),
        output_directory=str(machine.disk.parent),
        disk_mib=disk >> 20,
        qemuargs=qemu.arguments(machine),
        ssh_port=port,
        ssh_username=username,
        ssh_private_key_file=str(files.private_key),
        ssh_timeout=f"{timeout_minutes}m",
        test_command=_test_command(files, f"ssh://{username}@127.0.0.1:{port}", ssh_config),
    )
    project = packer.render(files.out / "packer", "machine", asdict(variables), version)
    packer.validate(project, version)
    with watching(files.serial_log, files.packer_log, files.pidfile) as watch:
        failure = _failure(project, files.packer_log)
    if watch.seconds_to_ssh is None:
        raise _not_up(watch, files, timeout_minutes) from failure
    if failure and not (files.results.exists() and suite.read_junit(files.results).failures):
        raise failure
    return watch


def _failure(project: Path, log: Path) -> process.CommandFailed | None:
    try:
        packer.build(project, log)
    except process.CommandFailed as failure:
        return failure
    return None


def _report(stack: str, machine: qemu.VirtualMachine, files: Files, watch: Watch) -> Report:
    results = suite.read_junit(files.results)
    return Report(
        stack=stack,
        firmware=machine.firmware,
        accelerator=machine.accelerator,
        seconds_to_ssh=watch.seconds_to_ssh or 0.0,
        seconds_of_tests=results.seconds,
        passed=results.passed,
        failed=len(results.failures),
        failures=results.failures,
        skipped=results.skipped,
        stages=tuple(watch.stages),
        disk=files.disk if files.disk.exists() else None,
        private_key=files.private_key,
        serial_log=files.serial_log,
    )


def _test_command(files: Files, host: str, ssh_config: Path) -> str:
    login = [f"--ssh-config={ssh_config}", f"--ssh-identity-file={files.private_key}"]
    return shlex.join([*suite.command(host, files.expectations, files.results), *login])


def _not_up(watch: Watch, files: Files, timeout_minutes: int) -> RigforgeError:
    logs = f"the whole serial console is in {files.serial_log}, what Packer said in {files.packer_log}"
    if _brought_home(files):
        logs += f", the installer's logs in {files.installer_logs}"
    if watch.fatal is None and "Timeout waiting for SSH" not in files.packer_log.read_text(errors="replace"):
        return RigforgeError(f"Packer could not run the machine:\n{serial.tail(files.packer_log)}", logs)
    reason = watch.fatal or f"it did not answer over SSH within {timeout_minutes} minutes"
    return RigforgeError(
        f"the machine could not be tested: {reason}\nThe last it said:\n{serial.tail(files.serial_log)}", logs
    )


def _brought_home(files: Files) -> bool:
    """Takes the logs that the document's error-commands left on the seed's volume; tells whether there are any."""
    logs = files.installer_logs
    return process.run(["mcopy", "-n", "-i", files.cidata, f"::{logs.name}", logs], check=False).returncode == 0


def free_port() -> int:
    """Returns a TCP port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
