"""The machine that QEMU is asked for, under each firmware."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from stand_ins import a_machine, guest

from rigforge.artifacts.iso import FIRMWARES, Firmware
from rigforge.verify import qemu


@pytest.fixture
def machine(tmp_path: Path) -> qemu.VirtualMachine:
    return a_machine(tmp_path, "bios")


def values(machine: qemu.VirtualMachine, option: str) -> list[str]:
    return [row[1] for row in qemu.arguments(machine) if row[0] == option]


@pytest.mark.parametrize("kind", FIRMWARES)
def test_qemu_takes_the_arguments(tmp_path: Path, kind: Firmware) -> None:
    """QEMU itself builds the machine, says over its monitor that it is there, and quits."""
    machine = a_machine(tmp_path, kind)
    for file in (machine.iso, machine.cidata):
        file.write_bytes(bytes(1 << 20))
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", machine.disk, "1G"], check=True)
    words = [word.replace("{{ .SSHHostPort }}", "0") for row in qemu.arguments(machine) for word in row]
    monitor = ["-S", "-monitor", "stdio"]
    started = subprocess.run(
        [qemu.QEMU, *words, *monitor], input="info status\nquit\n", capture_output=True, text=True, timeout=60
    )
    assert started.returncode == 0, started.stderr
    assert "VM status: paused" in started.stdout


def test_network_is_closed_and_ssh_is_reached_from_this_machine_only(machine: qemu.VirtualMachine) -> None:
    [network] = values(machine, "-netdev")
    assert "restrict=on" in network
    assert "hostfwd=tcp:127.0.0.1:{{ .SSHHostPort }}-:22" in network


def test_the_medium_cannot_be_written_and_the_seed_takes_logs(machine: qemu.VirtualMachine) -> None:
    drives = {drive.split("id=")[1].split(",")[0]: drive for drive in values(machine, "-drive")}
    assert "readonly=on" in drives["medium"]
    assert "readonly" not in drives["seed"]
    assert "readonly" not in drives["target"]


def test_bios_boots_a_dvd_and_uefi_a_stick(tmp_path: Path) -> None:
    dvd = [device for device in values(a_machine(tmp_path, "bios"), "-device") if "drive=medium" in device]
    stick = [device for device in values(a_machine(tmp_path, "uefi"), "-device") if "drive=medium" in device]
    assert dvd[0].startswith("ide-cd")
    assert stick[0].startswith("usb-storage")
    assert "removable=on" in stick[0]


def test_uefi_leaves_the_stick_first_in_the_boot_order(tmp_path: Path) -> None:
    """So the medium has to see by itself that the machine is installed."""

    def order(kind: Firmware) -> list[str]:
        bootable = [device for device in values(a_machine(tmp_path, kind), "-device") if "bootindex=" in device]
        ordered = sorted(bootable, key=lambda device: int(device.split("bootindex=")[1]))
        return [device.split("drive=")[1].split(",")[0] for device in ordered]

    assert order("uefi") == ["medium", "target"]
    assert order("bios") == order("secureboot") == ["target", "medium"]


def test_secure_boot_keeps_the_guest_from_its_variables(tmp_path: Path) -> None:
    machine = a_machine(tmp_path, "secureboot")
    assert values(machine, "-machine") == ["q35,smm=on"]
    assert "driver=cfi.pflash01,property=secure,value=on" in values(machine, "-global")


def test_a_comma_in_a_path_does_not_begin_another_option(tmp_path: Path) -> None:
    folder = tmp_path / "a,readonly=off"
    folder.mkdir()
    drives = values(a_machine(folder, "bios"), "-drive")
    assert all("a,,readonly=off" in drive for drive in drives)


def test_qemu_is_found_by_its_pidfile_and_ended(tmp_path: Path) -> None:
    pidfile = tmp_path / "qemu.pid"
    with guest(pidfile) as process:
        assert qemu.running(pidfile) == process.pid
        assert qemu.end(pidfile)
        assert process.wait(10) != 0
    assert not qemu.end(pidfile)


def test_a_process_that_got_the_number_later_is_left_alone(tmp_path: Path) -> None:
    pidfile = tmp_path / "qemu.pid"
    with subprocess.Popen(["sleep", "60"]) as process:
        pidfile.write_text(f"{process.pid}\n")
        assert not qemu.end(pidfile)
        assert process.poll() is None
        process.kill()
