"""The small stack's VM disk, for real: started with a seed, grown, tested (10 minutes a firmware without KVM)."""

from __future__ import annotations

import filecmp
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from rigforge.artifacts.iso import Firmware
from rigforge.images import disk as vm_disk
from rigforge.layers.plan import plan
from rigforge.lock.model import read
from rigforge.stack.load import load
from rigforge.stack.model import Stack
from rigforge.verify import firmware as uefi
from rigforge.verify import qemu, suite
from rigforge.verify.expectations import TEST_HOSTNAME, TEST_USER, expectations
from rigforge.verify.files import Files
from rigforge.verify.iso import free_port
from rigforge.verify.suite import read_junit
from tests.end_to_end.chain import OUT, Figure, rigforge, usable
from tests.end_to_end.guest import Guest

pytestmark = pytest.mark.boot

SSH_CONFIG = """\
Host *
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  IdentitiesOnly yes
  LogLevel ERROR
  ConnectTimeout 120
"""

#: Of each machine; the disk itself has 4 GiB.
DISK_GIB = 12

#: What no two machines may have in common.
IDENTITY = ("/var/lib/dbus/machine-id", "/var/lib/systemd/random-seed", "/var/lib/systemd/credential.secret")


@dataclass(frozen=True)
class VmDisk:
    """A disk, and the name or file of the stack that it was made of."""

    stack: str
    path: Path


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> VmDisk:
    stack = usable("smoke", tmp_path_factory.mktemp("disk"))
    printed = rigforge("build-disk", "--stack", stack, "--out", OUT / "disk")
    return VmDisk(stack, Path(printed.removeprefix("disk: ").rstrip("\n")))


def test_a_second_build_needs_no_network_and_gives_the_same_bytes(disk: VmDisk, tmp_path: Path) -> None:
    printed = rigforge("build-disk", "--stack", disk.stack, "--offline", "--out", tmp_path)
    assert printed == f"disk: {tmp_path / disk.path.name}\n"
    assert filecmp.cmp(tmp_path / disk.path.name, disk.path, shallow=False)


def test_it_is_nobodys_disk_yet(disk: VmDisk, tmp_path: Path) -> None:
    raw = tmp_path / "disk.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", disk.path, raw], check=True)
    subprocess.run(["sfdisk", "--verify", raw], check=True)
    image = f"{raw}?offset={514 << 20}"

    def ask(request: str) -> str:
        return subprocess.run(["debugfs", "-R", request, image], capture_output=True, check=True, text=True).stdout

    assert "Size: 0\n" in ask("stat /etc/machine-id")
    assert "ssh_config" in ask("ls -p /etc/ssh")
    assert "ssh_host" not in ask("ls -p /etc/ssh")
    assert [path for path in IDENTITY if ask(f"stat {path}")] == []


@pytest.mark.full
@pytest.mark.parametrize("firmware", ["uefi", "bios", "secureboot"])
def test_it_starts_takes_its_answers_grows_and_passes_the_image_tests(
    disk: VmDisk, firmware: Firmware, tmp_path: Path, record_property: Figure
) -> None:
    files = Files(tmp_path)
    stack = answers(disk, files)
    subprocess.run(["qemu-img", "resize", "-q", files.disk, f"{DISK_GIB}G"], check=True)
    write_expectations(stack, firmware, files)
    port = free_port()
    with started(firmware, files, port) as machine:
        machine.answers(port)
        config = tmp_path / "ssh_config"
        config.write_text(SSH_CONFIG)
        login = [f"--ssh-config={config}", f"--ssh-identity-file={files.private_key}"]
        host = f"ssh://{TEST_USER}@127.0.0.1:{port}"
        subprocess.run([*suite.command(host, files.expectations, files.results), *login], check=True)
    results = read_junit(files.results)
    record_property("image tests passed", results.passed)
    assert results.passed > 0
    assert not results.failures


def answers(disk: VmDisk, files: Files) -> Stack:
    """Copies the disk, makes the volume with the answers that a user makes, and returns the stack with these."""
    files.disk.parent.mkdir()
    shutil.copy(disk.path, files.disk)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", files.private_key], check=True)
    key = files.private_key.with_suffix(".pub").read_text().strip()
    values = [f"hostname={TEST_HOSTNAME}", f"user={TEST_USER}", f"ssh_key={key}", "storage.layout=direct"]
    # The port is opened by a late-command.
    values.append('firewall.open=["8080/tcp"]')
    options = [word for value in values for word in ("--set", value)]
    rigforge("seed", "--stack", disk.stack, *options, "--out", files.cidata)
    return load(disk.stack, sets=values)


def write_expectations(stack: Stack, firmware: Firmware, files: Files) -> None:
    """Writes what the machine must be like: that which the ISO's would be, but for the medium's id."""
    lock = read(stack.lock_path)
    layers = vm_disk.on_disk(plan(stack, lock))
    medium = {"id": vm_disk.identity(layers, lock.source_date_epoch).id, "layers": [layer.name for layer in layers]}
    files.expectations.write_text(expectations(stack, lock, firmware, medium).model_dump_json(indent=2))


@contextmanager
def started(firmware: Firmware, files: Files, port: int) -> Iterator[Guest]:
    """Switches on a machine with the disk, the volume beside it, and no medium."""
    flash = None if firmware == "bios" else uefi.flash(firmware == "secureboot", files.variables)
    machine = qemu.VirtualMachine(
        firmware=firmware,
        accelerator=qemu.accelerator(),
        iso=files.cidata,
        cidata=files.cidata,
        disk=files.disk,
        flash=flash,
        serial_log=files.serial_log,
        serial_socket=files.out / "serial",
        pidfile=files.pidfile,
    )
    pairs = [pair for pair in qemu.arguments(machine) if "id=medium," not in pair[1] and "drive=medium," not in pair[1]]
    words = [word.replace("{{ .SSHHostPort }}", str(port)) for pair in pairs for word in pair]
    with (files.out / "qemu.log").open("wb") as said:
        process = subprocess.Popen([qemu.QEMU, *words], stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    try:
        yield Guest(process, files.serial_log, files.out / "monitor")
    finally:
        process.kill()
        process.wait()
