"""NVSwitch: without the service that sets the switches up CUDA does not start (802), though nvidia-smi works."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rigforge.doctor import excerpt
from rigforge.doctor.check import Check, Topic
from rigforge.doctor.machine import Machine
from rigforge.rules.versions import driver_branch

FABRIC = Topic(
    "fabric-manager", "GPUs behind NVSwitch run no CUDA program until fabric manager has set the switches up."
)

UNIT = "nvidia-fabricmanager"

#: GPUs of HGX boards whose switches are no devices of PCI: B200 and B300 (pci.ids; Fabric Manager User Guide).
_HGX = ("0x2901", "0x2909", "0x3182")

_VERSION = re.compile(r"\b\d{3,4}(?:\.\d{1,4}){1,2}\b", re.ASCII)
#: "fabric manager NVIDIA GPU driver interface version 530.30.02 don't match with driver version 530.41.03. …"
_APART = re.compile(r"interface version (?P<own>[\d.]{1,20}) (?:don|doesn).{0,3}t match with (?:the )?driver version")
_ERROR = re.compile(r"(?:error|fail|abort|not found|unable|mismatch)", re.IGNORECASE)

_LOG = "var/log/fabricmanager.log"
_LONGEST = 200


def checks(machine: Machine) -> Iterator[Check]:
    yield FABRIC.of(lambda: _fabric(machine))


def switches(machine: Machine) -> int:
    """Returns how many NVSwitches are on the PCI bus: NVIDIA's bridges of class 0x0680."""
    devices = [f"sys/bus/pci/devices/{path.name}" for path in (machine.root / "sys/bus/pci/devices").glob("*")]
    return sum(
        machine.text(f"{device}/vendor") == "0x10de" and machine.text(f"{device}/class").startswith("0x0680")
        for device in devices
    )


def _fabric(machine: Machine) -> Check:
    count = switches(machine)
    hgx = sum(card.text("device") in _HGX for card in machine.cards) > 1
    if not count and not hgx:
        return FABRIC.not_applicable("no NVSwitch on the bus")
    if machine.container:
        return FABRIC.not_applicable("the host's, in a container")
    loaded = machine.loaded
    if not loaded:
        return FABRIC.not_applicable("no NVIDIA driver is loaded")
    answer = machine.ask("systemctl", "is-active", UNIT, seconds=2)
    state = answer.output.splitlines()[0] if answer and answer.output else ""
    board = f"{count} NVSwitches" if count else "an HGX board"
    own = _version(machine)
    apart = own not in ("", loaded.version)
    words = _last_words(machine) if state != "active" else ""
    if match := _APART.search(words):
        own, apart = match["own"], True
    if apart and (state != "active" or own != machine.user_space):
        measured = f"{board}; fabric manager is {own}, the driver {loaded.version}: it starts only with its own version"
        check = FABRIC.warning if state == "active" else FABRIC.failed
        return check(measured, _install(machine, loaded.version))
    if not state:
        return FABRIC.not_applicable(f"{board}; no systemd to ask for fabric manager")
    if state in ("active", "activating", "reloading"):
        return FABRIC.ok(f"{board}; fabric manager {own or loaded.version} is {state}")
    why = f": {words[:_LONGEST]}" if words else ""
    cure = f"sudo systemctl enable --now {UNIT}"
    if state == "failed":
        cure = f"sudo systemctl restart {UNIT}; sudo journalctl --unit {UNIT} --lines 20 says why it ends"
    elif not own and not any(machine.root.glob(f"*/lib/systemd/system/{UNIT}.service")):
        cure = f"{_install(machine, loaded.version)} (where it is not installed)"
    return FABRIC.failed(f"{board}, but fabric manager is {state}{why}: CUDA answers 802, system not ready", cure)


def _version(machine: Machine) -> str:
    """Returns the version of the fabric manager that is installed, "" where nothing says it."""
    for argv in (
        ("nv-fabricmanager", "--version"),
        ("dpkg-query", "--show", "--showformat", "${Version}\\n", "nvidia-fabricmanager*"),
        ("rpm", "--query", "--queryformat", "%{VERSION}\\n", "nvidia-fabricmanager", "nvidia-fabric-manager"),
    ):
        answer = machine.ask(*argv, seconds=1)
        if answer and (match := _VERSION.search(answer.output)):
            return match[0]
    return ""


def _last_words(machine: Machine) -> str:
    """Returns what fabric manager complained of last."""
    answer = machine.ask("journalctl", "--unit", UNIT, "--lines", "50", "--no-pager", "--output", "cat", seconds=1)
    lines = answer.output[-excerpt.MOST :].splitlines() if answer and not answer.code else []
    lines = [*excerpt.of(machine.root, _LOG, end=True).splitlines()[-50:], *lines]
    apart = [line for line in lines if _APART.search(line)]
    # systemd's own words say only that it ended.
    wrong = apart or [line for line in lines if _ERROR.search(line) and "systemd" not in line and UNIT not in line]
    return wrong[-1].strip() if wrong else ""


def _install(machine: Machine, version: str) -> str:
    """Returns what installs the fabric manager of a driver. The branch is in its package's name before 580."""
    branch = driver_branch(version)
    enable = f"sudo systemctl enable {UNIT} && sudo systemctl restart {UNIT}"
    if machine.has("dnf"):
        return f"sudo dnf install nvidia-fabricmanager-{version} && {enable}"
    package = (
        f"'nvidia-fabricmanager-{branch}={version}*'" if int(branch) < 580 else f"'nvidia-fabricmanager={version}*'"
    )
    return f"sudo apt-get install --allow-downgrades {package} && {enable}"
