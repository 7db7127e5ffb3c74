"""Which files and devices of a machine its containers get, by the layout of its distribution."""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from rigforge.machine.cdi import gpus, installed, loaded, main, specification

LOADED = "535.309.01"
OTHER = "550.163.01"

LIBRARIES = "usr/lib/x86_64-linux-gnu"

CLOSED = f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {LOADED}  Tue May  5 01:00:00 UTC 2026\n"
OPEN = f"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {LOADED}  Release Build  (buildd@host)\n"

UUID = "GPU-0a1b2c3d-1111-2222-3333-44444444444{}"
UNKNOWN_UUID = "GPU-????????-????-????-????-????????????"


class Machine:
    """A tree with the files by which a machine's driver is found; its device files are ordinary ones."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.file = root / "run/cdi/nvidia.json"

    def write(self, path: str, text: str = "") -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def link(self, path: str, target: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).symlink_to(target)

    def debian(self, version: str = LOADED, folder: str = "current") -> Machine:
        """Installs a driver as Debian does: in a folder of its own, chosen by links that leave the tree."""
        self.libraries(f"{LIBRARIES}/nvidia/{folder}", version)
        self.write(f"{LIBRARIES}/libnvidia-pkcs11-openssl3.so.{version}")
        self.write(f"usr/lib/nvidia/{folder}/nvidia-smi")
        if folder == "current":
            for link in (f"{LIBRARIES}/libcuda.so.1", f"{LIBRARIES}/libcuda.so", "usr/bin/nvidia-smi"):
                self.link(link, f"/etc/alternatives/nvidia--{Path(link).name}")
        return self

    def ubuntu(self, version: str = LOADED) -> Machine:
        """Installs a driver as Ubuntu and NVIDIA's installer do: among the other libraries."""
        self.libraries(LIBRARIES, version)
        self.write(f"{LIBRARIES}/libcudart.so.12")
        self.write(f"{LIBRARIES}/nvidia/xorg/libglxserver_nvidia.so.{version}")
        self.write("usr/bin/nvidia-smi")
        self.write("usr/bin/nvidia-debugdump")
        return self

    def libraries(self, folder: str, version: str) -> None:
        for library, links in {"libcuda": (".1", ""), "libnvidia-ml": (".1",), "libnvidia-nvvm": (".4",)}.items():
            self.write(f"{folder}/{library}.so.{version}")
            before = f"{library}.so.{version}"
            for link in links:
                self.link(f"{folder}/{library}.so{link}", before)
                before = f"{library}.so{link}"

    def load(self, said: str = CLOSED) -> Machine:
        self.write("proc/driver/nvidia/version", said)
        return self

    def add_gpu(self, address: str, minor: int, uuid: str) -> None:
        information = f"Model: \t\t NVIDIA H100\nGPU UUID: \t {uuid}\nBus Type: \t PCIe\nDevice Minor: \t {minor}\n"
        self.write(f"proc/driver/nvidia/gpus/{address}/information", information)
        for node in (f"nvidia{minor}", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools"):
            self.write(f"dev/{node}")

    def describe(self) -> dict[str, Any]:
        main(self.root, self.file)
        described: dict[str, Any] = json.loads(self.file.read_text())
        return described


@pytest.fixture(autouse=True)
def no_nvidia_modprobe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has the real one keeps its devices as they are."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "root")


def mounts(described: dict[str, Any]) -> dict[str, str]:
    return {mount["containerPath"]: mount["hostPath"] for mount in described["containerEdits"]["mounts"]}


def nodes(described: dict[str, Any]) -> dict[str, list[str]]:
    return {
        device["name"]: [node["path"] for node in device["containerEdits"]["deviceNodes"]]
        for device in described["devices"]
    }


def in_container(*names: str) -> set[str]:
    return {f"/{LIBRARIES}/{name}" for name in names}


LIBCUDA = in_container("libcuda.so", "libcuda.so.1", f"libcuda.so.{LOADED}")
OTHERS = in_container(
    "libnvidia-ml.so.1", f"libnvidia-ml.so.{LOADED}", "libnvidia-nvvm.so.4", f"libnvidia-nvvm.so.{LOADED}"
)


def test_debians_libraries_are_shown_under_all_their_names_where_the_loader_looks(machine: Machine) -> None:
    shown = mounts(machine.debian().load().describe())
    pkcs11 = in_container(f"libnvidia-pkcs11-openssl3.so.{LOADED}")
    assert shown.keys() == {*LIBCUDA, *OTHERS, *pkcs11, "/usr/bin/nvidia-smi"}
    (libcuda,) = {shown[name] for name in LIBCUDA}
    assert libcuda == f"{machine.root}/{LIBRARIES}/nvidia/current/libcuda.so.{LOADED}"


def test_ubuntus_libraries_are_shown_where_they_are(machine: Machine) -> None:
    shown = mounts(machine.ubuntu().load().describe())
    assert shown.keys() == {*LIBCUDA, *OTHERS, "/usr/bin/nvidia-smi", "/usr/bin/nvidia-debugdump"}
    (libcuda,) = {shown[name] for name in LIBCUDA}
    assert libcuda == f"{machine.root}/{LIBRARIES}/libcuda.so.{LOADED}"


def test_the_mounted_files_are_files_and_no_links(machine: Machine) -> None:
    for source in mounts(machine.debian().load().describe()).values():
        assert Path(source).is_file() and not Path(source).is_symlink()


def test_of_two_drivers_only_the_loaded_ones_files_are_shown(machine: Machine) -> None:
    shown = mounts(machine.debian(OTHER).debian(LOADED, folder="tesla-535").load().describe())
    assert not [path for path in [*shown, *shown.values()] if OTHER in path or "/current/" in path]
    assert shown["/usr/bin/nvidia-smi"] == f"{machine.root}/usr/lib/nvidia/tesla-535/nvidia-smi"


def test_each_gpu_is_there_by_index_and_uuid(machine: Machine) -> None:
    for number in range(8):
        machine.add_gpu(f"0000:{number:02x}:00.0", number, UUID.format(number))
    devices = nodes(machine.ubuntu().load().describe())
    by_index = {str(number): [f"/dev/nvidia{number}"] for number in range(8)}
    by_uuid = {UUID.format(number): [f"/dev/nvidia{number}"] for number in range(8)}
    assert devices == {**by_index, **by_uuid, "all": [f"/dev/nvidia{number}" for number in range(8)]}


def test_an_index_counts_pci_addresses_and_not_device_files(machine: Machine) -> None:
    machine.add_gpu("0000:9a:00.0", 0, UUID.format(0))
    machine.add_gpu("0000:17:00.0", 1, UUID.format(1))
    assert nodes(machine.ubuntu().load().describe())["0"] == ["/dev/nvidia1"]


def test_a_gpu_that_the_driver_has_not_started_has_no_uuid(machine: Machine) -> None:
    machine.add_gpu("0000:01:00.0", 0, UNKNOWN_UUID)
    assert nodes(machine.ubuntu().load().describe()) == {"0": ["/dev/nvidia0"], "all": ["/dev/nvidia0"]}


def test_a_gpu_without_device_file_is_left_out(machine: Machine) -> None:
    machine.add_gpu("0000:01:00.0", 0, UNKNOWN_UUID)
    machine.add_gpu("0000:02:00.0", 1, UNKNOWN_UUID)
    (machine.root / "dev/nvidia0").unlink()
    assert nodes(machine.ubuntu().load().describe()) == {"1": ["/dev/nvidia1"], "all": ["/dev/nvidia1"]}


def test_every_device_comes_with_the_common_device_files_that_exist(machine: Machine) -> None:
    machine.add_gpu("0000:01:00.0", 0, UUID.format(0))
    edits = machine.ubuntu().load().describe()["containerEdits"]
    assert [node["path"] for node in edits["deviceNodes"]] == [
        "/dev/nvidiactl",
        "/dev/nvidia-uvm",
        "/dev/nvidia-uvm-tools",
    ]


def test_missing_device_files_are_made_first(machine: Machine, tmp_path: Path) -> None:
    machine.add_gpu("0000:01:00.0", 0, UUID.format(0))
    machine.add_gpu("0000:02:00.0", 1, UUID.format(1))
    (machine.root / "dev/nvidia1").unlink()
    program = tmp_path / "bin/nvidia-modprobe"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/asked\n: >{machine.root}/dev/nvidia1\n')
    program.chmod(0o755)
    assert nodes(machine.ubuntu().load().describe())["1"] == ["/dev/nvidia1"]
    assert (tmp_path / "asked").read_text() == "-u -c=0 -c=1\n"


def test_the_persistence_daemon_is_shown_where_it_runs(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.write("run/nvidia-persistenced/nvidia-persistenced.pid")
    assert "/run/nvidia-persistenced/socket" not in mounts(machine.ubuntu().load().describe())
    # A socket's path has room for 107 bytes only.
    monkeypatch.chdir(machine.root / "run/nvidia-persistenced")
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind("socket")
    assert "/run/nvidia-persistenced/socket" in mounts(machine.describe())


@pytest.mark.parametrize("count", [0, 1, 8])
def test_a_container_engine_accepts_what_is_written(machine: Machine, count: int) -> None:
    """By the rules of the interface's own schema and of its Go package 0.5.2, which podman 4.3 uses."""
    for number in range(count):
        machine.add_gpu(f"0000:{number:02x}:00.0", number, UUID.format(number))
    described = machine.debian().load().describe()
    assert described.keys() == {"cdiVersion", "kind", "devices", "containerEdits"}
    assert (described["cdiVersion"], described["kind"]) == ("0.5.0", "nvidia.com/gpu")
    names = [device["name"] for device in described["devices"]]
    assert len(names) == len(set(names)) == 2 * count + 1
    assert all(re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?", name) for name in names)
    for edits in [described["containerEdits"], *(device["containerEdits"] for device in described["devices"])]:
        assert edits.keys() <= {"env", "deviceNodes", "mounts", "hooks"}
        assert any(edits.values()), "a device without content is refused"
        assert all("=" in variable for variable in edits.get("env", []))
        assert all(node.keys() == {"path"} and node["path"].startswith("/dev/") for node in edits["deviceNodes"])
        for mount in edits.get("mounts", []):
            assert mount.keys() == {"hostPath", "containerPath", "options"}
            assert mount["hostPath"].startswith("/") and mount["containerPath"].startswith("/")
            assert {"ro", "nosuid", "nodev"} <= set(mount["options"])


def test_it_is_for_everyone_to_read_and_leaves_nothing_beside_it(machine: Machine) -> None:
    before = os.umask(0o077)
    try:
        machine.ubuntu().load().describe()
    finally:
        os.umask(before)
    assert machine.file.stat().st_mode & 0o777 == 0o644
    assert list(machine.file.parent.iterdir()) == [machine.file]


def test_without_a_driver_in_the_kernel_the_old_specification_goes(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.ubuntu().load().describe()
    (machine.root / "proc/driver/nvidia/version").unlink()
    capsys.readouterr()
    main(machine.root, machine.file)
    assert not machine.file.exists()
    assert capsys.readouterr().out == "containers get no GPU: no NVIDIA driver is loaded\n"


def test_a_driver_whose_libraries_were_replaced_is_named(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.write("run/cdi/nvidia.json", "{}")
    main(machine.debian(OTHER).load().root, machine.file)
    assert not machine.file.exists()
    assert f"no libcuda of the loaded driver {LOADED}" in capsys.readouterr().out


def test_a_machine_that_never_had_a_driver_is_left_alone(machine: Machine) -> None:
    main(machine.root, machine.file)
    assert not machine.root.exists()


@pytest.mark.parametrize("said", [CLOSED, OPEN])
def test_the_version_is_the_kernel_modules(machine: Machine, said: str) -> None:
    assert loaded(machine.load(said).root) == LOADED


def test_unpacked_packages_are_enough_to_describe_a_driver(machine: Machine) -> None:
    machine.libraries(f"{LIBRARIES}/nvidia/current", LOADED)
    assert installed(machine.root) == [LOADED]
    assert gpus(machine.root) == []
    described = specification(machine.root, LOADED)
    assert mounts(described).keys() == {*LIBCUDA, *OTHERS}
    assert nodes(described) == {"all": []}
