"""nvidia-uvm, the driver's module for CUDA's memory: loaded, or loaded for the first program that asks for it."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import replace

from rigforge.doctor import device_nodes, modprobe
from rigforge.doctor.check import Check, Topic
from rigforge.doctor.checks.options import OPTIONS
from rigforge.doctor.device_nodes import CONTROL, UNIFIED
from rigforge.doctor.machine import Machine

UVM = Topic("nvidia-uvm", "CUDA needs a second module, nvidia-uvm, for its memory; nvidia-smi does not.")

#: What has the module loaded and its device files made.
MAKE = "sudo modprobe nvidia-uvm && sudo nvidia-modprobe -u -c=0"

#: What is run in the module's place, and does nothing.
_NOTHING = re.compile(r"\S*/(?:true|false)")
_FOR_GOOD = "the package nvidia-modprobe does it for good"


def checks(machine: Machine) -> Iterator[Check]:
    yield UVM.of(lambda: _uvm(machine))


def _uvm(machine: Machine) -> Check:
    if not machine.loaded:
        return UVM.not_applicable("no NVIDIA driver is loaded")
    names = {node.name for node in device_nodes.nodes(machine)}
    if machine.container:
        return _in_container(names)
    if path := _keeps_out(machine):
        cure = f"sudo sed -i -E '/install +nvidia[-_]uvm/d' {path} && {MAKE}"
        return replace(UVM.failed(f"{path} keeps it from being loaded", cure), cause=OPTIONS.id)
    loaded = _is_loaded(machine)
    without_file = CONTROL in names and UNIFIED not in names
    if loaded is None and not without_file:
        return UVM.not_applicable("the kernel's modules are not to be seen")
    if _makes_itself(machine):
        return UVM.ok("loaded" if loaded else "not loaded yet; nvidia-modprobe loads it for the first program")
    if loaded is False:
        return UVM.failed(
            "not loaded, and no nvidia-modprobe would load it for a program: CUDA answers 999, unknown error",
            f"sudo modprobe nvidia-uvm && echo nvidia-uvm | sudo tee /etc/modules-load.d/nvidia-uvm.conf; {_FOR_GOOD}",
        )
    if without_file:
        number = f"$(awk '$2 == \"{UNIFIED}\" {{print $1}}' /proc/devices)"
        return UVM.failed(
            f"/dev/{UNIFIED} is missing, and no nvidia-modprobe would make it",
            f"sudo modprobe nvidia-uvm && sudo mknod -m 666 /dev/{UNIFIED} c {number} 0; {_FOR_GOOD}",
        )
    return UVM.ok("loaded")


def _keeps_out(machine: Machine) -> str:
    """Returns the file that has something else run where the module is to be loaded; "" for none."""
    for line in modprobe.lines(machine.root):
        match line.words:
            case ["install", name, command, *_] if modprobe.module(name) == UNIFIED and _NOTHING.fullmatch(command):
                return line.file
    return ""


def _in_container(names: set[str]) -> Check:
    if UNIFIED in names:
        return UVM.ok("handed to this container")
    if CONTROL not in names:
        return UVM.not_applicable("no device files in this container")
    return UVM.failed(
        f"/dev/{UNIFIED} was not handed to this container",
        f"{MAKE} on the host; then make the container anew (docker rm, docker run --gpus all …), or with "
        "--device /dev/nvidia-uvm --device /dev/nvidia-uvm-tools",
    )


def _is_loaded(machine: Machine) -> bool | None:
    """Tells whether the kernel has the module; None where nothing says which modules it has."""
    listed = {line.partition(" ")[0] for line in machine.text("proc/modules").splitlines()}
    if listed & {"nvidia", "nvidia_uvm"}:
        return "nvidia_uvm" in listed
    if (machine.root / "sys/module/nvidia").is_dir():
        return (machine.root / "sys/module/nvidia_uvm").is_dir()
    numbers = device_nodes.numbers(machine)
    return UNIFIED in numbers if numbers.keys() & set(device_nodes.OF_GPUS) else None


def _makes_itself(machine: Machine) -> bool:
    """Tells whether there is the program of root's by which the driver's libraries load the module and make files."""
    for folder in ("usr/bin", "bin", "usr/local/bin"):
        try:
            if (machine.root / folder / "nvidia-modprobe").stat().st_mode & stat.S_ISUID:
                return True
        except OSError:
            continue
    return False
