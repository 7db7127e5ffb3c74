"""Settings that keep GPUs from working, wherever they stand, and those of healthy machines."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from rigforge.doctor import modprobe
from rigforge.doctor.checks import options
from tests.doctor.machines import Examine, program, write

TABLE = tomllib.loads(Path(options.__file__).with_name("options.toml").read_text())["setting"]

#: File, content, status, and what is said; the driver is loaded.
LOADED = [
    ("proc/cmdline", "quiet module_blacklist=nouveau,nvidia", "failed", "module_blacklist=nouveau,nvidia: the kernel"),
    ("proc/cmdline", "pci=realloc,nomsi", "warning", "pci=realloc,nomsi: interrupts"),
    ("proc/cmdline", "acpi=off", "warning", "without ACPI"),
    ("proc/cmdline", "nvidia.NVreg_NvLinkDisable=1", "warning", "NVLink is off"),
    ("etc/modprobe.d/a.conf", "install nvidia /bin/false", "failed", "/etc/modprobe.d/a.conf has install nvidia"),
    ("etc/modprobe.d/a.conf", "install nvidia-uvm /usr/bin/true", "failed", "nvidia_uvm is never loaded"),
    ("etc/modprobe.d/a.conf", "options nvidia NVreg_EnableMSI=0", "warning", "shared lines"),
    ("usr/lib/modprobe.d/a.conf", "options nvidia-current NVreg_EnableMSI=0", "warning", "shared lines"),
    ("run/modprobe.d/a.conf", "options nvidia \\\n  NVreg_ExcludedGpus=GPU-1,GPU-2", "warning", "leaves out the cards"),
    ("etc/modprobe.d/a.conf", "options nvidia NVreg_RegisterPCIDriver=0", "failed", "takes no card"),
]

#: The same for a machine whose driver is not loaded.
UNLOADED = [
    ("etc/modprobe.d/a.conf", "blacklist nvidia", "/etc/modprobe.d/a.conf has blacklist nvidia"),
    ("lib/modprobe.d/a.conf", "  blacklist   nvidia", "blacklist nvidia"),
    ("etc/modprobe.d/a.conf", "alias nvidia off", "alias nvidia off"),
    ("proc/cmdline", "modprobe.blacklist=nvidia quiet", "modprobe.blacklist=nvidia"),
    ("proc/cmdline", "rd.driver.blacklist=nouveau,nvidia", "rd.driver.blacklist"),
]

#: What distributions and administrators have there on machines that are well.
HEALTHY = [
    ("proc/cmdline", "BOOT_IMAGE=/vmlinuz root=UUID=1 ro quiet splash iommu=pt intel_iommu=on pci=realloc nokaslr"),
    ("proc/cmdline", "modprobe.blacklist=nouveau rd.driver.blacklist=nouveau nvidia-drm.modeset=1 nomodeset"),
    ("etc/modprobe.d/b.conf", "blacklist nouveau\noptions nouveau modeset=0\nblacklist nvidiafb\nalias nouveau off"),
    ("etc/modprobe.d/b.conf", "options nvidia-drm modeset=1\noptions nvidia NVreg_PreserveVideoMemoryAllocations=1"),
    ("etc/modprobe.d/b.conf", "options nvidia NVreg_DynamicPowerManagement=0x02 NVreg_EnableGpuFirmware=0"),
    ("etc/modprobe.d/b.conf", "install nvidia modprobe -i nvidia-current $CMDLINE_OPTS"),
    ("etc/modprobe.d/b.conf", "options nvidia-uvm uvm_disable_hmm=1\noptions nvidia NVreg_EnableMSI=1"),
    ("etc/modprobe.d/b.conf", "# blacklist nvidia\n#install nvidia /bin/false"),
    ("etc/modprobe.d/b.conf.bak", "install nvidia /bin/false"),
]


def said(examine: Examine, told: str) -> tuple[str, str, str]:
    found = examine(told)["checks"]["driver-options"]
    return found["status"], found["measured"], found["fix"]


@pytest.mark.parametrize(("file", "text", "status", "measured"), LOADED)
def test_a_setting_that_matters(
    examine: Examine, healthy: Callable[[int], str], root: Path, file: str, text: str, status: str, measured: str
) -> None:
    told = healthy(1)
    write(root / file, f"{text}\n")
    found, what, fix = said(examine, told)
    assert (found, measured in what) == (status, True), what
    place = "/etc/default/grub" if file == "proc/cmdline" else f"/{file}"
    assert place in fix and fix.endswith("sudo reboot")


@pytest.mark.parametrize(("file", "text", "measured"), UNLOADED)
def test_what_keeps_the_module_from_being_loaded(
    examine: Examine, healthy: Callable[[int], str], root: Path, file: str, text: str, measured: str
) -> None:
    """It is no fault where something else has loaded it."""
    told = healthy(1)
    write(root / file, f"{text}\n")
    assert said(examine, told)[0] == "ok"
    (root / "proc/driver/nvidia/version").unlink()
    found, what, _ = said(examine, told)
    assert (found, measured in what) == ("failed", True), what


@pytest.mark.parametrize(("file", "text"), HEALTHY)
@pytest.mark.parametrize("loaded", [True, False])
def test_the_settings_of_a_healthy_machine(
    examine: Examine, healthy: Callable[[int], str], root: Path, file: str, text: str, loaded: bool
) -> None:
    told = healthy(1)
    write(root / file, f"{text}\n")
    if not loaded:
        (root / "proc/driver/nvidia/version").unlink()
    assert said(examine, told)[0] == "ok"


def test_a_file_of_the_administrator_hides_the_package_s(
    examine: Examine, healthy: Callable[[int], str], root: Path
) -> None:
    told = healthy(1)
    write(root / "usr/lib/modprobe.d/a.conf", "install nvidia /bin/false\n")
    write(root / "etc/modprobe.d/a.conf", "")
    assert said(examine, told)[0] == "ok"


def test_files_count_in_the_order_of_their_names_whatever_their_folder(root: Path) -> None:
    write(root / "usr/lib/modprobe.d/b.conf", "options nvidia A=1\n")
    write(root / "etc/modprobe.d/c.conf", "# options nvidia A=2\n\noptions nvidia \\\n  A=3\n")
    write(root / "run/modprobe.d/a.conf", "install x y\n")
    write(root / "lib/modprobe.d/c.conf", "options nvidia A=4\n")
    assert [(line.file, line.text) for line in modprobe.lines(root)] == [
        ("/run/modprobe.d/a.conf", "install x y"),
        ("/usr/lib/modprobe.d/b.conf", "options nvidia A=1"),
        ("/etc/modprobe.d/c.conf", "options nvidia A=3"),
    ]


@pytest.mark.parametrize("folder", modprobe.FOLDERS)
def test_what_keeps_cudas_module_out_has_one_cure_in_every_folder(
    examine: Examine, healthy: Callable[[int], str], root: Path, folder: str
) -> None:
    told = healthy(1)
    write(root / "proc/modules", "nvidia 1 0 - Live\n")
    write(root / folder / "x.conf", "install nvidia_uvm /bin/true\n")
    found = examine(told)["checks"]
    assert (
        found["nvidia-uvm"]["measured"] == f"/{folder}/x.conf keeps it from being loaded (follows from driver-options)"
    )
    assert (found["nvidia-uvm"]["status"], found["nvidia-uvm"]["fix"]) == ("failed", "")
    assert found["driver-options"]["fix"].startswith(f"take that line out of /{folder}/x.conf")


def test_the_cure_is_in_the_tools_of_the_distribution(
    examine: Examine, healthy: Callable[[int], str], root: Path
) -> None:
    told = healthy(1)
    program(root, "grubby", "true")
    write(root / "proc/cmdline", "pci=nomsi")
    assert said(examine, told)[2] == "sudo grubby --update-kernel=ALL --remove-args=pci=nomsi && sudo reboot"


def test_rubbish_is_no_setting(examine: Examine, healthy: Callable[[int], str], root: Path) -> None:
    told = healthy(1)
    write(root / "etc/modprobe.d/a.conf", "")
    (root / "etc/modprobe.d/a.conf").write_bytes(b"\xff\0options\n" * 100_000 + b"options nvidia " + b"a" * 500_000)
    write(root / "proc/cmdline", '"' * 4000 + "pci=" + "a," * 50_000)
    assert said(examine, told)[0] == "ok"


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row["match"])
def test_each_row_has_what_is_said_of_it(row: dict[str, str]) -> None:
    assert re.compile(row["match"])
    assert row["where"] in ("kernel", "option", "line")
    assert row["status"] in ("warning", "failed")
    assert row["means"] and row["source"]
