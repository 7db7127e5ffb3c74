"""What keeps CUDA from starting, read from the machine's state alone: no program is asked."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machines
import pytest
from machines import DRIVER, Examine, program, write

from rigforge.compat.interpreter import NOBODY, Person
from rigforge.doctor.checks import device_files, uvm, visible_devices
from rigforge.doctor.machine import Machine
from rigforge.doctor.nvml import Nvml, NvmlGpu

Look = Callable[..., dict[str, Any]]

PARAMS = "proc/driver/nvidia/params"
UNIT = "etc/systemd/system/jupyter.service"
OPTIONS, BELOW_USR = "etc/modprobe.d/nvidia.conf", "usr/lib/modprobe.d/x.conf"
HOME = "home/ann"
ANN = Person(1000, 1000, (), f"/{HOME}")


@pytest.fixture
def look(examine: Examine, root: Path) -> Look:
    """Takes files, what the one GPU says otherwise and the environment; returns what the checks found."""

    def run(files: dict[str, str], gpu: dict[str, object] | None = None, **environment: str) -> dict[str, Any]:
        machines.machine(root, 1)
        for path, text in files.items():
            write(root / path, text)
        checks: dict[str, Any] = examine(machines.answers(1, gpu0=gpu or {}), **environment)["checks"]
        return checks

    return run


def machine(root: Path, gpus: int = 2, **environment: str) -> Machine:
    machines.machine(root, gpus)
    nvml = Nvml(gpus=tuple(NvmlGpu(index, uuid=machines.uuid(index)) for index in range(gpus)))
    return Machine(nvml, root, f"{root}/bin", environment)


# What CUDA_VISIBLE_DEVICES hides, of two GPUs.


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("-1", "failed"),
        ("", "failed"),
        ("NoDevFiles", "failed"),
        ("all", "failed"),
        ("2", "failed"),
        ('"0"', "failed"),
        ("cuda:0", "failed"),
        ("GPU-99999999", "failed"),
        ("MIG-1234", "failed"),
        ("0,7", "warning"),
        ("1,1", "warning"),
        ("0,-1", "warning"),
        ("0", "ok"),
        ("1, 0", "ok"),
        (machines.uuid(1), "ok"),
        (machines.uuid(0)[:14], "ok"),
    ],
)
def test_the_gpus_that_the_variable_leaves(root: Path, value: str, status: str) -> None:
    (found,) = visible_devices.checks(machine(root, CUDA_VISIBLE_DEVICES=value), "")
    assert found.status == status
    assert (found.fix == "unset CUDA_VISIBLE_DEVICES") == (status != "ok")


@pytest.mark.parametrize(
    ("file", "text", "cure"),
    [
        ("etc/environment", 'CUDA_VISIBLE_DEVICES="-1"\n', "sudo sed -i '/CUDA_VISIBLE_DEVICES/d' /etc/environment"),
        ("etc/profile.d/gpu.sh", "export CUDA_VISIBLE_DEVICES=\n", "sudo sed -i"),
        ("etc/profile.d/gpu.sh", "export CUDA_VISIBLE_DEVICES='' # none\n", "sudo sed -i"),
        ("etc/environment.d/50-gpu.conf", "CUDA_VISIBLE_DEVICES=-1\n", "/etc/environment.d/50-gpu.conf"),
        (f"{HOME}/.bashrc", "export CUDA_VISIBLE_DEVICES=5;\n", f"sed -i '/CUDA_VISIBLE_DEVICES/d' /{HOME}/.bashrc"),
        (UNIT, "[Service]\nEnvironment=A=1 CUDA_VISIBLE_DEVICES=-1\n", "sudo systemctl restart jupyter"),
        (UNIT, '[Service]\nEnvironment="CUDA_VISIBLE_DEVICES="\n', "sudo systemctl restart jupyter"),
        ("etc/systemd/system.conf", "[Manager]\nDefaultEnvironment=A=1 CUDA_VISIBLE_DEVICES=-1\n", "sudo reboot"),
        ("etc/security/pam_env.conf", "CUDA_VISIBLE_DEVICES DEFAULT=-1\n", "/etc/security/pam_env.conf"),
        (f"{UNIT}.d/gpu.conf", "[Service]\nEnvironment=CUDA_VISIBLE_DEVICES=9\n", f"/{UNIT}.d/gpu.conf"),
        (
            f"{HOME}/.config/systemd/user/jupyter.service",
            "[Service]\nEnvironment=CUDA_VISIBLE_DEVICES=-1\n",
            "systemctl --user restart jupyter",
        ),
        (
            "usr/share/jupyter/kernels/python3/kernel.json",
            '{"env": {"CUDA_VISIBLE_DEVICES": ""}}',
            "restart the notebook's kernel",
        ),
    ],
)
def test_the_places_that_set_it(root: Path, file: str, text: str, cure: str) -> None:
    there = machine(root)
    write(root / file, text)
    (found,) = visible_devices.checks(there, f"/{HOME}")
    assert found.status == "failed"
    assert cure in found.fix


def test_a_file_that_the_unit_of_notebooks_reads(root: Path) -> None:
    there = machine(root)
    write(root / UNIT, "[Service]\nEnvironmentFile=-/etc/jupyter.env\n")
    write(root / "etc/jupyter.env", "CUDA_VISIBLE_DEVICES=-1\n")
    (found,) = visible_devices.checks(there, "")
    assert "/etc/jupyter.env" in found.measured


def test_what_is_dropped_in_goes_before_the_unit(root: Path) -> None:
    there = machine(root)
    write(root / UNIT, "[Service]\nEnvironment=CUDA_VISIBLE_DEVICES=-1\n")
    write(root / f"{UNIT}.d/gpu.conf", "[Service]\nEnvironment=CUDA_VISIBLE_DEVICES=0\n")
    (found,) = visible_devices.checks(there, "")
    assert found.status == "ok"


@pytest.mark.parametrize(
    "text",
    [
        "# export CUDA_VISIBLE_DEVICES=-1\n",
        "if [ -n \"$SLURM\" ]; then\n  export CUDA_VISIBLE_DEVICES=-1\nfi\n",
        "export CUDA_VISIBLE_DEVICES=$(free-gpu)\n",
        "export CUDA_VISIBLE_DEVICES=-1\nunset CUDA_VISIBLE_DEVICES\n",
        "export CUDA_VISIBLE_DEVICES=-1\nexport CUDA_VISIBLE_DEVICES=0,1\n",
        "export CUDA_VISIBLE_DEVICES='\nX='\n",
        "\0\xff" * 100_000,
    ],
)  # fmt: skip
def test_what_a_shell_does_not_set(root: Path, text: str) -> None:
    there = machine(root)
    write(root / "etc/profile.d/gpu.sh", text)
    (found,) = visible_devices.checks(there, "")
    assert found.status in ("ok", "failed") if "\nX" in text else found.status == "ok"


def test_nobody_waits_for_a_pipe(root: Path) -> None:
    there = machine(root)
    (root / HOME).mkdir(parents=True)
    os.mkfifo(root / HOME / ".bashrc")
    (root / HOME / ".profile").symlink_to("/dev/zero")
    (found,) = visible_devices.checks(there, f"/{HOME}")
    assert found.status == "ok"


# NVSwitch and the service that sets it up.


def switches(root: Path, count: int = 4) -> None:
    for index in range(count):
        place = root / f"sys/bus/pci/devices/0000:0{index}:00.1"
        write(place / "vendor", "0x10de\n")
        write(place / "class", "0x068000\n")


FM_530 = "fabric manager NVIDIA GPU driver interface version 530.30.02 don't match with driver version 580.95.05."


@pytest.mark.parametrize(
    ("state", "programs", "status", "measured", "cure"),
    [
        ("active", {}, "ok", "is active", ""),
        ("inactive", {}, "failed", "fabric manager is inactive", "nvidia-fabricmanager=580.95.05*"),
        ("inactive", {"nv-fabricmanager": f"echo {DRIVER}"}, "failed", "is inactive", "systemctl enable --now"),
        ("failed", {}, "failed", "fabric manager is failed", "journalctl --unit nvidia-fabricmanager"),
        ("failed", {"journalctl": f'echo "{FM_530}"'}, "failed", "fabric manager is 530.30.02", "=580.95.05*"),
        ("failed", {"journalctl": "echo error: no license"}, "failed", "error: no license", "restart"),
        ("failed", {"nv-fabricmanager": "echo Fabric Manager version is : 570.86.15"}, "failed", "570.86.15", "=580"),
        ("active", {"dpkg-query": "echo 570.86.15-1"}, "warning", "fabric manager is 570.86.15", "=580.95.05*"),
        ("active", {"dpkg-query": f"echo {DRIVER}-1"}, "ok", "is active", ""),
    ],
)
def test_fabric_manager(
    examine: Examine, root: Path, state: str, programs: dict[str, str], status: str, measured: str, cure: str
) -> None:
    machines.machine(root, 8)
    switches(root)
    for name, script in {**programs, "systemctl": f"echo {state}"}.items():
        program(root, name, script)
    found = examine(machines.answers(8))["checks"]["fabric-manager"]
    assert (found["status"], measured in found["measured"], cure in found["fix"]) == (status, True, True), found


def test_cards_without_switches_need_none(look: Look, root: Path) -> None:
    program(root, "systemctl", "echo inactive; exit 3")
    assert look({})["fabric-manager"]["status"] == "n/a"


def test_the_switches_of_newer_boards_are_not_on_the_bus(examine: Examine, root: Path) -> None:
    machines.machine(root, 8)
    for index in range(8):
        write(root / "sys/bus/pci/devices" / machines.address(index) / "device", "0x2901\n")
    program(root, "systemctl", "echo inactive; exit 3")
    assert examine(machines.answers(8))["checks"]["fabric-manager"]["status"] == "failed"


# The second module.


@pytest.mark.parametrize(
    ("files", "status"),
    [
        ({"proc/modules": "nvidia_modeset 1 0 - Live\nnvidia 1 0 - Live\n"}, "failed"),
        ({"sys/module/nvidia/refcnt": "1"}, "failed"),
        ({"proc/devices": "Character devices:\n195 nvidia\n195 nvidiactl\n\nBlock devices:\n"}, "failed"),
        ({"proc/modules": "nvidia 1 0 - Live\n", "etc/modprobe.d/x.conf": "install nvidia-uvm /bin/true\n"}, "failed"),
        ({"proc/modules": "nvidia_uvm 1 0 - Live\nnvidia 1 1 nvidia_uvm, Live\n"}, "ok"),
        ({"sys/module/nvidia/refcnt": "1", "sys/module/nvidia_uvm/refcnt": "1"}, "ok"),
        ({"proc/modules": "nvidia_uvm 1 0 - Live\n", "dev/nvidiactl": ""}, "failed"),
        ({"proc/modules": "nvidia_uvm 1 0 - Live\n", "dev/nvidiactl": "", "dev/nvidia-uvm": ""}, "ok"),
        ({".dockerenv": "", "dev/nvidiactl": "", "dev/nvidia0": ""}, "failed"),
        ({"dev/nvidiactl": "", "dev/nvidia0": ""}, "failed"),
        ({}, "n/a"),
    ],
)
def test_the_module_for_cudas_memory(root: Path, files: dict[str, str], status: str) -> None:
    there = machine(root)
    for path, text in files.items():
        write(root / path, text)
    (found,) = uvm.checks(there)
    assert found.status == status
    assert bool(found.fix) == (status == "failed")


def test_what_is_loaded_when_it_is_needed_is_no_fault(root: Path) -> None:
    there = machine(root)
    write(root / "proc/modules", "nvidia 1 0 - Live\n")
    write(root / "usr/bin/nvidia-modprobe", "", 0o4755)
    (found,) = uvm.checks(there)
    assert found.status == "ok"


# Device files.


@pytest.mark.parametrize(
    ("files", "measured", "cure"),
    [
        ({PARAMS: "DeviceFileUID: 0\nDeviceFileGID: 0\nDeviceFileMode: 384\n"}, "mode 0600", "update-initramfs"),
        ({PARAMS: "DeviceFileGID: 0\nDeviceFileMode: 432\n"}, "mode 0660", "chmod 666"),
        ({PARAMS: "DeviceFileGID: 44\nDeviceFileMode: 432\n"}, "is no member", "sudo usermod --append --groups"),
        ({BELOW_USR: "options nvidia NVreg_DeviceFileMode=0600\n"}, "mode 0600", f"/{BELOW_USR}"),
        ({OPTIONS: "options nvidia NVreg_DeviceFileMode=0600\n"}, "mode 0600", f"/{OPTIONS}"),
        ({UNIT: "[Service]\nPrivateDevices=yes\n"}, "PrivateDevices=yes keeps", "systemctl restart jupyter"),
        ({UNIT: "[Service]\nDevicePolicy=closed\n"}, "DevicePolicy=closed keeps", "systemctl restart jupyter"),
        ({".dockerenv": "", "dev/null": ""}, "no /dev/nvidia* in this container", "docker run --gpus all"),
        ({".dockerenv": "", "dev/nvidiactl": ""}, "none of a GPU", "make the container anew"),
        ({"dev/nvidia0": ""}, "/dev/nvidiactl is missing", "nvidia-modprobe"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_device_files(root: Path, files: dict[str, str], measured: str, cure: str) -> None:
    there = machine(root)
    for path, text in files.items():
        write(root / path, text)
    (found,) = device_files.checks(there, ANN, ANN.home)
    assert found.status == "failed"
    assert measured in found.measured
    assert cure in found.fix


@pytest.mark.parametrize(
    ("files", "person"),
    [
        ({}, ANN),
        ({PARAMS: "DeviceFileGID: 0\nDeviceFileMode: 438\n", "dev/nvidiactl": "", "dev/nvidia0": ""}, ANN),
        ({PARAMS: "DeviceFileGID: 44\nDeviceFileMode: 432\n"}, Person(1000, 1000, (44,))),
        ({PARAMS: "DeviceFileGID: 44\nDeviceFileMode: 432\n"}, Person(NOBODY)),
        ({PARAMS: "DeviceFileMode: ²\n" * 9000}, ANN),
        ({UNIT: "[Service]\nDevicePolicy=closed\nDeviceAllow=char-nvidia* rw\n"}, ANN),
        ({UNIT: "[Service]\nPrivateDevices=yes\n", f"{UNIT}.d/a.conf": "[Service]\nPrivateDevices=no\n"}, ANN),
    ],
)
def test_device_files_that_are_well(root: Path, files: dict[str, str], person: Person) -> None:
    there = machine(root)
    for path, text in files.items():
        write(root / path, text)
    (found,) = device_files.checks(there, person, person.home)
    assert found.status in ("ok", "n/a")


NODE = stat.S_IFCHR | 0o666


@pytest.mark.parametrize(
    ("name", "number", "mode", "measured"),
    [
        ("nvidia-uvm", 510, NODE, "/dev/nvidia-uvm has the number 510, the loaded driver 508"),
        ("nvidia0", 199, NODE, "/dev/nvidia0 has the number 199, the loaded driver 195"),
        ("nvidia0", 195, stat.S_IFCHR | 0o600, "/dev/nvidia0 is crw------- of group root: only root"),
        ("nvidia-uvm", 508, NODE, ""),
    ],
)
def test_real_device_files(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int, mode: int, measured: str
) -> None:
    there = machine(root)
    for file in ("nvidiactl", "nvidia0", "nvidia-uvm"):
        write(root / "dev" / file, "")
    write(root / "proc/devices", "Character devices:\n195 nvidia-frontend\n508 nvidia-uvm\n\nBlock devices:\n")
    before = Path.stat

    def of_node(file: Path, **options: bool) -> os.stat_result:
        found = before(file, **options)
        if file.name != name:
            return found
        return os.stat_result((mode, *found[1:4], 0, 0, *found[6:10]), {"st_rdev": os.makedev(number, 0)})

    monkeypatch.setattr(Path, "stat", of_node)
    (found,) = device_files.checks(there, ANN, ANN.home)
    assert found.status == ("failed" if measured else "ok")
    assert measured in found.measured


@pytest.mark.parametrize("error", [999, 4])
def test_a_container_that_lost_its_gpus(examine: Examine, root: Path, error: int) -> None:
    machines.machine(root, 1)
    write(root / ".dockerenv", "")
    for name in ("nvidiactl", "nvidia0", "nvidia-uvm"):
        write(root / "dev" / name, "")
    found = examine(f"{machines.answers(1)}init !{error}\n")["checks"]
    assert "cgroup keeps the container from the GPUs" in found["device-files"]["measured"]
    assert "make the container anew" in found["device-files"]["fix"]
    assert not any("reboot" in check["fix"] for check in found.values())


# Modes.


@pytest.mark.parametrize(
    ("gpu", "status", "measured"),
    [
        ({"mig": 1, "mig_parts": 0}, "failed", "no instance"),
        ({"mig": 1, "mig_parts": 3}, "ok", "MIG, 3 instances"),
        ({"mig": 1, "mig_most": "!999"}, "ok", "MIG"),
        ({"compute_mode": 2}, "failed", "compute mode prohibited"),
        ({"compute_mode": 3}, "ok", "one program at a time"),
        ({"mig": 0, "compute_mode": 0}, "ok", "open to all programs"),
        ({"mig": 1, "mig_most": 4294967295, "mig_parts": 4294967295}, "ok", "MIG, 64 instances"),
    ],
)
def test_modes(look: Look, gpu: dict[str, object], status: str, measured: str) -> None:
    found = look({}, gpu)["gpu-mode"]
    assert (found["status"], measured in found["measured"]) == (status, True), found


@pytest.mark.parametrize("call", ["handle", "temperature"])
def test_a_gpu_that_wants_a_reset(look: Look, call: str) -> None:
    found = look({}, {call: "!16"})["gpu-bus"]
    assert found["status"] == "failed"
    assert found["fix"].startswith("sudo nvidia-smi --gpu-reset --id=0")
