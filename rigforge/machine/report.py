"""A machine's report on itself: how it is reached, its GPUs and their driver, and the doctor's verdict.

Written to /var/lib/rigforge/report and shown before each login. At boot it comes before the first login and waits for
nothing; a timer writes it again, with the addresses and with what the doctor says. Secrets have no place in it.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rigforge import atomic
from rigforge.machine import DOCTOR
from rigforge.rules.secure_boot import VARIABLE, is_on

REPORT = Path("/var/lib/rigforge/report")

#: What became of the driver at this boot, for the later reports.
DRIVER = Path("/run/rigforge/driver")

#: The kernel's answers to a module whose signature it does not trust (modprobe prints them).
REJECTED = ("Key was rejected by service", "Required key not available", "Operation not permitted")

#: Names of the module's file: NVIDIA's and Debian's. (nvidiafb is the kernel's own and something else.)
MODULES = ("nvidia", "nvidia-current")

#: Who may log in, and the public halves of WireGuard's keys.
USERS = Path("/etc/ssh/sshd_config.d/rigforge-users.conf")
WIREGUARD = Path("/etc/wireguard")

#: Interfaces of containers and virtual machines: nobody reaches this machine by their addresses.
INSIDE = ("lo", "docker", "br-", "veth", "podman", "cni", "virbr", "lxc")

#: Seconds: a whole examination takes 3, with a GPU that does not answer any more.
PATIENCE = 120


@dataclass(frozen=True)
class Loading:
    """The attempt to load the driver's module: there was none where `tried` is false."""

    tried: bool
    ok: bool = False
    error: str = ""


def load_driver(kernel: str, modules: Path = Path("/lib/modules")) -> Loading:
    """Loads the NVIDIA module, if this kernel has one."""
    files = [path for name in MODULES for path in (modules / kernel).rglob(f"{name}.ko*")]
    if not files:
        return Loading(tried=False)
    result = subprocess.run(["modprobe", "nvidia"], capture_output=True, text=True, check=False)
    return Loading(tried=True, ok=result.returncode == 0, error=result.stderr.strip())


def driver_lines(kernel: str, secured: bool, loading: Loading) -> list[str]:
    """Returns what there is to say of kernel, Secure Boot and driver, a line each.

    >>> driver_lines("6.1.0-56-amd64", False, Loading(tried=False))
    ['kernel 6.1.0-56-amd64, Secure Boot off']
    """
    report = [f"kernel {kernel}, Secure Boot {'on' if secured else 'off'}"]
    if not loading.tried:
        return report
    if loading.ok:
        return [*report, "NVIDIA driver: loaded"]
    if any(reason in loading.error for reason in REJECTED):
        return [
            *report,
            "NVIDIA driver: BLOCKED BY SECURE BOOT: the module is not signed with a key that this machine trusts.",
            "  Enrol the key it was signed with (sudo mokutil --import KEY.der, reboot, confirm on the blue screen),",
            "  build the image with [secure_boot] key and certificate, or switch Secure Boot off in the firmware.",
        ]
    if "No such device" in loading.error:
        return [*report, "NVIDIA driver: ready, but this machine has no GPU that it knows"]
    return [*report, f"NVIDIA driver: does not load: {loading.error}"]


def gpu_lines(driver: Path = Path("/proc/driver/nvidia"), module: Path = Path("/sys/module/nvidia")) -> list[str]:
    """Returns the loaded driver's version and the GPUs it sees, without waking it: nothing where it is not loaded."""
    try:
        version = (module / "version").read_text().strip()
    except OSError:
        return []
    text = "\n".join(file.read_text() for file in sorted(driver.glob("gpus/*/information")))
    models = re.findall(r"^Model:\s*(.+?)\s*$", text, re.MULTILINE)
    counted = [f"{count} x {model}" for model, count in Counter(models).items()]
    return [f"GPUs: {', '.join(counted) or 'none'} (driver {version})"]


def addresses(interfaces: Iterable[Mapping[str, Any]]) -> list[str]:
    """Returns the addresses by which others reach the machine, each with its interface, from `ip -json address`."""
    return [
        f"{address['local']} ({interface['ifname']})"
        for interface in interfaces
        if not interface.get("ifname", "lo").startswith(INSIDE)
        for address in interface.get("addr_info", ())
        # Of IPv6's, those that change by the day are for going out.
        if address.get("scope") == "global" and not address.get("temporary") and not address.get("deprecated")
    ]


def reach_lines(hostname: str, user: str, numbers: list[str]) -> list[str]:
    """Returns how to log in, and where the machine is; it may have no address yet.

    >>> reach_lines("gpubox", "ada", ["192.0.2.7 (eno1)"])
    ['gpubox: ssh ada@gpubox.local', 'addresses: 192.0.2.7 (eno1)']
    """
    return [f"{hostname}: ssh {user}@{hostname}.local", f"addresses: {', '.join(numbers) or 'none yet'}"]


def user(file: Path = USERS) -> str:
    """Returns the first user who may log in, USER where nothing says who."""
    try:
        words = file.read_text().split()
    except OSError:
        words = []
    return words[1] if words[:1] == ["AllowUsers"] and len(words) > 1 else "USER"


def wireguard_lines(folder: Path = WIREGUARD) -> list[str]:
    """Returns the public keys that were made on this machine, for the other side's configuration."""
    keys = {file.name.split(".")[0]: file.read_text().strip() for file in sorted(folder.glob("*.pub"))}
    return [f"WireGuard {name}: public key {key}" for name, key in keys.items()]


def verdict_lines(answer: Mapping[str, Any]) -> list[str]:
    """Returns what the doctor's answer (docs/doctor.schema.json) comes to: its verdict, and the checks behind it.

    Only their names: what was measured may be for root alone, and everybody reads this.
    """
    checks = answer.get("checks", ())
    wrong = [check["id"] for check in checks if check["status"] in ("warning", "failed")]
    if not wrong:
        counted = sum(check["status"] == "ok" for check in checks)
        return [f"doctor: {answer['verdict']}, {counted} checks"]
    return [f"doctor: {answer['verdict']}: {', '.join(dict.fromkeys(wrong))} (sudo rigforge-doctor says what to do)"]


def ask_doctor(program: str = DOCTOR, patience: float = PATIENCE) -> list[str]:
    """Returns the doctor's part of the report; nothing where there is no doctor."""
    try:
        result = subprocess.run([program, "--json", "--at-rest"], capture_output=True, timeout=patience, check=False)
        return verdict_lines(json.loads(result.stdout))
    except FileNotFoundError:
        return []
    except subprocess.TimeoutExpired:
        return [f"doctor: no answer within {patience:.0f} s (sudo rigforge-doctor)"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"doctor: it does not run: {type(error).__name__} (sudo rigforge-doctor)"]


def write(path: Path, lines: Iterable[str]) -> None:
    """Writes a file that is never seen half written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, "".join(f"{line}\n" for line in lines), 0o644)


def _interfaces() -> list[dict[str, Any]]:
    result = subprocess.run(["ip", "-json", "address"], capture_output=True, text=True, check=False)
    interfaces: list[dict[str, Any]] = json.loads(result.stdout or "[]")
    return interfaces


def _driver(boot: bool) -> list[str]:
    """The driver's state, looked at once a boot: the kernel would log each further try."""
    if boot or not DRIVER.exists():
        kernel = os.uname().release
        write(DRIVER, driver_lines(kernel, is_on(Path("/", VARIABLE)), load_driver(kernel)))
    return DRIVER.read_text().splitlines()


def main() -> None:
    """Reports; with --boot before the first login, without anything that takes its time."""
    boot = "--boot" in sys.argv[1:]
    driver = _driver(boot)
    lines = [
        *reach_lines(socket.gethostname().split(".")[0], user(), addresses(_interfaces())),
        *wireguard_lines(),
        *driver,
        *gpu_lines(),
        *([] if boot else ask_doctor()),
    ]
    write(REPORT, lines)
    if boot:
        print(*lines, sep="\n")


if __name__ == "__main__":
    main()
