"""Machines as the doctor sees them: a fake tree of sysfs, proc and programs, and answers for the mock NVML."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Takes what NVML says and the environment; returns the answer, its checks by id.
Examine = Callable[..., dict[str, Any]]
#: Takes what NVML says, the subcommand and its options; returns the process.
Start = Callable[..., "subprocess.Popen[str]"]

GIB = 1024**3
KERNEL = "6.1.0-56-amd64"
DRIVER = "580.95.05"

#: What a GPU in good health says through NVML.
GPU = {
    "name": "NVIDIA GeForce RTX 4090",
    "memory": 24 * GIB,
    "used": GIB,
    "temperature": 45,
    "slowdown": 90,
    "fan": 30,
    "power": 60_000,
    "power_limit": 450_000,
    "power_default": 450_000,
    "power_min": 150_000,
    "power_max": 600_000,
    "clock": 2520,
    "clock_max": 3105,
    "utilisation": 0,
    "state": 8,
    "reasons": "0x1",
    "persistence": 1,
    "ecc": 1,
    "uncorrected": 0,
    "remap_pending": 0,
    "remap_failed": 0,
    "peers": 0,
    "width": 16,
    "width_max": 16,
    "generation": 4,
    "generation_max": 4,
    "replays": 0,
    "bar1": 256 * 1024**2,
    "vbios": "95.02.3c.00.5d",
    "inforom": 1,
    "field.75": 0,
    "field.230": 0,
}


def write(file: Path, text: str, mode: int = 0o644) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)


def program(root: Path, name: str, script: str) -> None:
    """Adds a program to the machine, as a shell script."""
    write(root / "bin" / name, f"#!/bin/sh\n{script}\n", 0o755)


def address(index: int) -> str:
    return f"0000:{index + 1:02x}:00.0"


def uuid(index: int) -> str:
    return f"GPU-0000000{index}-1111-2222-3333-444444444444"


def card(root: Path, index: int) -> Path:
    """Plugs an RTX 4090 into its slot; returns its directory in sysfs. The slot is the directory above."""
    slot = root / f"sys/devices/pci0000:00/0000:00:{index + 1:02x}.0"
    place = slot / address(index)
    for folder in (slot, place):
        for name, text in {"max_link_width": "16", "max_link_speed": "16.0 GT/s PCIe"}.items():
            write(folder / name, f"{text}\n")
    facts = {"vendor": "0x10de", "class": "0x030000", "device": "0x2684", "current_link_width": "16", "numa_node": "0"}
    for name, text in facts.items():
        write(place / name, f"{text}\n")
    link = root / "sys/bus/pci/devices" / address(index)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(place)
    return place


def machine(root: Path, gpus: int) -> None:
    """Builds a machine in good health."""
    write(root / "proc/sys/kernel/osrelease", f"{KERNEL}\n")
    write(root / "proc/sys/kernel/hostname", "gpubox\n")
    write(root / "proc/meminfo", f"MemTotal: {64 * GIB // 1024} kB\nMemAvailable: {50 * GIB // 1024} kB\n")
    write(root / "etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
    write(root / f"boot/vmlinuz-{KERNEL}", "")
    write(root / f"lib/modules/{KERNEL}/modules.dep", "updates/dkms/nvidia-current.ko:\n")
    for index in range(gpus):
        card(root, index)
    if gpus:
        line = f"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {DRIVER}  Release Build\n"
        write(root / "proc/driver/nvidia/version", line)
        libraries = root / "usr/lib/x86_64-linux-gnu"
        write(libraries / f"libcuda.so.{DRIVER}", "")
        (libraries / "libcuda.so.1").symlink_to(f"libcuda.so.{DRIVER}")
        write(root / "etc/cdi/nvidia.yaml", "kind: nvidia.com/gpu\n")
    program(root, "dmesg", "echo 'Linux version 6.1'")
    program(root, "apt-mark", f"echo linux-image-{KERNEL}")
    program(root, "sshd", "echo permitrootlogin no; echo passwordauthentication no")
    program(root, "timedatectl", "echo yes")
    program(root, "systemctl", "echo active")


def answers(gpus: int, **changed: dict[str, object]) -> str:
    """Returns the mock's file; `changed` has for `gpu3` what that one says otherwise (None: nothing)."""
    lines = [f"driver {DRIVER}", "cuda 13000", f"gpus {gpus}"]
    for index in range(gpus):
        told = {**GPU, "uuid": uuid(index), "address": f"0000{address(index)}", **changed.get(f"gpu{index}", {})}
        lines += [f"{index}.{name} {value}" for name, value in told.items() if value is not None]
    return "\n".join(lines) + "\n"
