"""What the kernel says of a card that did not start, and of hardware that failed: one cause, its line, one cure."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from rigforge.doctor import checks
from rigforge.doctor.checks.events import events
from tests.doctor import machines
from tests.doctor.machines import Examine, program, write

ROOM = "no room for"


def log(root: Path, *lines: str) -> None:
    write(root / "var/log/told", "Linux version 6.1\n" + "".join(f"[   12.345678] {line}\n" for line in lines))
    program(root, "dmesg", f"/bin/cat {root}/var/log/told")


def test_every_event_has_a_source_and_its_line_its_word() -> None:
    assert all(event.source and event.cure and event.status in ("warning", "failed") for event in events())
    assert all(event.topic in ("driver-start", "kernel-errors") for event in events())


@pytest.mark.parametrize(
    ("lines", "means", "cure"),
    [
        (
            ["NVRM: GPU 0000:01:00.0: GPU does not have the necessary power cables connected."],
            "power cables",
            "plug in",
        ),
        (["NVRM: _kgspBootGspRm: unexpected WPR2 already up, cannot proceed with booting gsp"], "WPR2", "cold start"),
        (["NVRM: RmInitAdapter: Cannot initialize GSP firmware RM"], "(GSP) did not start", "power the machine off"),
        (["NVRM: Can't find an IRQ for your NVIDIA card!"], "no interrupt", "setup"),
        (
            ["NVRM: GPU0 _kgspBootGspRm: unexpected WPR2 already up, cannot proceed with booting GSP"],
            "WPR2",
            "cold start",
        ),
        (
            ["nvidia 0000:01:00.0: Direct firmware load for nvidia/550.54.15/gsp_ga10x.bin failed with error -2"],
            "nvidia/550.54.15/gsp_ga10x.bin is not in",
            "firmware-nvidia-gsp",
        ),
        (["NVRM: RmFetchGspRmImages: No firmware image found"], "GSP firmware", "firmware-nvidia-gsp"),
        (["NVRM: BAR0 is 0M @ 0x0 (PCI:0000:01:00.0)"], "no room for its memory window BAR 0", "Above 4G Decoding"),
        (["pci 0000:01:00.0: BAR 1: no space for [mem size 0x10000000 64bit pref]"], "BAR 1", "pci=realloc"),
        (["pci 0000:01:00.0: BAR 3: failed to assign [mem size 0x2000000 64bit pref]"], "BAR 3", "pci=realloc"),
        (["NVRM: GPU 0000:01:00.0 is already bound to vfio-pci."], "vfio-pci holds", "drivers/vfio-pci/unbind"),
        (["NVRM: GPU 0000:01:00.0 is already bound to nouveau."], "nouveau holds", "drivers/nouveau/unbind"),
        (["NVRM:  supported through the NVIDIA 470.xx Legacy drivers. Please"], "too new", "branch 470.xx"),
        (["NVRM: installed in this system is not supported by open"], "open kernel module", "nvidia-kernel-dkms"),
        (
            ["NVRM: installed in this system is not supported by the", "NVRM: NVIDIA 595.58.03 driver"],
            "not know",
            "install",
        ),
        (["Loading of module with unavailable key is rejected"], "signature", "Secure Boot"),
        (["Lockdown: modprobe: unsigned module loading is restricted; see man"], "locked down", "Secure Boot"),
        (["nvidia: version magic '6.1.0-1 SMP' should be '6.1.0-2 SMP'"], "another kernel", "dkms autoinstall"),
        (["nvidia-uvm: uvm_pmm_gpu.c:3176 x[pid:9] request_free_mem_region() err -34"], "HMM", "uvm_disable_hmm=1"),
        (["nvidia 0000:01:00.0: Unable to change power state from D3cold to D0, device inaccessible"], "wake", "seat"),
        (["NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x24:0x65:1589)"], "state: no answer in time", "driver"),
        (["NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x99:0x99:1)"], "no table has", "driver"),
        (["nvidia: probe of 0000:01:00.0 failed with error -1"], "(error -1)", "dmesg"),
        (["nvidia 0000:01:00.0: probe with driver nvidia failed with error -12"], "(error -12)", "dmesg"),
    ],
)
def test_why_a_card_was_not_started(
    examine: Examine, healthy: Callable[[int], str], root: Path, lines: list[str], means: str, cure: str
) -> None:
    told = healthy(1)
    (root / "proc/driver/nvidia/version").unlink()
    log(root, *lines)
    found = examine(told)["checks"]["driver-start"]
    assert found["status"] in ("failed", "warning")
    assert means in found["measured"] and lines[0] in found["measured"], found
    assert cure in found["fix"], found


BAR = "pci 0000:01:00.0: BAR 1 [mem size 0x800000000 64bit pref]: can't assign; no space"


def test_of_one_card_only_the_cause_is_told(examine: Examine, root: Path) -> None:
    machines.machine(root, 2)
    log(
        root,
        BAR,
        "NVRM: BAR1 is 0M @ 0x0 (PCI:0000:01:00.0)",
        "nvidia: probe of 0000:01:00.0 failed with error -1",
        "NVRM: GPU 0000:02:00.0: RmInitAdapter failed! (0x62:0x40:2168)",
        "NVRM: GPU 0000:02:00.0: rm_init_adapter failed, device minor number 0",
    )
    found = examine(machines.answers(0))["checks"]["driver-start"]
    assert found["measured"].count("“") == 2
    assert "0000:01:00.0: the firmware gave the card no room" in found["measured"]
    assert "0000:02:00.0: RmInitAdapter failed" in found["measured"]


def test_a_cause_that_names_no_card_has_those_that_follow(examine: Examine, root: Path) -> None:
    machines.machine(root, 2)
    log(
        root,
        "NVRM: GPU1 _kgspBootGspRm: unexpected WPR2 already up, cannot proceed with booting GSP",
        "NVRM: GPU1 RmInitAdapter: Cannot initialize GSP firmware RM",
        "NVRM: GPU 0000:02:00.0: RmInitAdapter failed! (0x62:0x40:2168)",
    )
    found = examine(machines.answers(1))["checks"]
    assert found["driver-start"]["measured"].startswith("0000:02:00.0: the card's protected memory (WPR2)")
    assert found["driver-start"]["measured"].count("“") == 1
    assert found["gpu-bus"]["cause"] == "driver-start"


@pytest.mark.parametrize(
    "lines",
    [
        [BAR],
        [
            "NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  580.95.05",
            "nvidia: module license 'NVIDIA' taints",
        ],
        ["nvidia: module verification failed: signature and/or required key missing - tainting kernel"],
        ["pci 0000:07:00.0: BAR 1: no space for [mem size 0x10000000]", "pci 0000:01:00.0: BAR 6: no space for [mem]"],
        ["Loading of unsigned module is rejected"],
        ["iwlwifi 0000:03:00.0: Direct firmware load for iwlwifi-ty-a0-gf-a0-72.ucode failed with error -2"],
        ["nvidia: probe of 0000:01:00.0 failed with error -1"],
        ["pcieport 0000:00:1c.0: AER: Corrected error received: 0000:03:00.0"],
        ["mce: CPU0: Core temperature above threshold, cpu clock throttled (total events = 1)"],
        ["Linux version 6.1", "usb 1-1: new high-speed USB device", "ACPI: thermal: Thermal Zone [TZ00] (25 C)"],
    ],
)
def test_what_a_healthy_machine_says(
    examine: Examine, healthy: Callable[[int], str], root: Path, lines: list[str]
) -> None:
    told = healthy(1)
    log(root, *lines)
    found = examine(told)["checks"]
    assert {found[name]["status"] for name in ("driver-start", "kernel-errors", "gpu-xid")} == {"ok"}, found


def test_room_that_was_found_after_all_is_no_trouble(
    examine: Examine, healthy: Callable[[int], str], root: Path
) -> None:
    told = healthy(1)
    (root / "proc/driver/nvidia/version").unlink()
    log(root, BAR, "pci 0000:01:00.0: BAR 1 [mem 0x4000000000-0x47ffffffff 64bit pref]: assigned")
    assert examine(told)["checks"]["driver-start"]["status"] == "ok"


def test_a_start_that_failed_once_is_a_warning_where_the_card_works_now(
    examine: Examine, healthy: Callable[[int], str], root: Path
) -> None:
    told = healthy(1)
    log(root, "NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x24:0x65:1589)")
    found = examine(told)["checks"]["driver-start"]
    assert (found["status"], "works now" in found["measured"]) == ("warning", True)


@pytest.mark.parametrize(
    ("vendor", "words"),
    [
        ("ASUSTeK COMPUTER INC.", "PCI Subsystem Settings"),
        ("Dell Inc.", "Integrated Devices > Memory Mapped I/O above 4GB (so called on the PowerEdge XR12)"),
        ("Unheard-of", "Above 4G Decoding"),
    ],
)
def test_the_setup_is_told_in_the_words_of_the_boards_vendor(
    examine: Examine, healthy: Callable[[int], str], root: Path, vendor: str, words: str
) -> None:
    told = healthy(1)
    (root / "proc/driver/nvidia/version").unlink()
    write(root / "sys/class/dmi/id/board_vendor", f"{vendor}\n")
    log(root, BAR)
    assert words in examine(told)["checks"]["driver-start"]["fix"]


def test_every_word_of_a_firmwares_setup_says_where_it_is_from() -> None:
    rows = tomllib.loads(Path(checks.__file__).with_name("kernel_log.toml").read_text())["firmware"].values()
    assert {tuple(row) for row in rows} == {("menu", "board", "source")}
    assert all(" > " in row["menu"] and row["board"] and row["source"] for row in rows)


@pytest.mark.parametrize(
    ("line", "status", "means"),
    [
        (
            "nvidia 0000:01:00.0: PCIe Bus Error: severity=Corrected, type=Physical Layer, (Receiver ID)",
            "warning",
            "AER",
        ),
        (
            "pcieport 0000:00:01.0: PCIe Bus Error: severity=Uncorrected (Fatal), type=Transaction Layer",
            "failed",
            "AER",
        ),
        ("pcieport 0000:00:01.0: AER: Multiple Corrected error received: 0000:01:00.0", "warning", "AER"),
        ("pcieport 0000:00:01.0: AER: Uncorrected (Non-Fatal) error received: 0000:01:00.0", "failed", "AER"),
        ("pcieport 0000:00:01.0: AER: Correctable error message received from 0000:01:00.0", "warning", "AER"),
        ("pcieport 0000:00:01.0: pciehp: Slot(0-1): Power fault", "failed", "slot 0-1"),
        ("mce: [Hardware Error]: CPU 3: Machine Check: 0 Bank 5: bea0000000000108", "failed", "machine check"),
        ("mce: [Hardware Error]: Machine check events logged", "warning", "machine checks"),
        ("{1}[Hardware Error]: event severity: fatal", "failed", "hardware error"),
        ("EDAC MC0: 1 UE memory read error on CPU_SrcID#0_MC#0", "failed", "could not correct"),
        ("EDAC MC1: 3 CE memory scrubbing error on CPU", "warning", "ECC corrected"),
        ("Out of memory: Killed process 4711 (python3) total-vm:98304kB, anon-rss:1kB", "warning", "ended python3"),
        ("Out of memory: Kill process 4711 (python3) score 900 or sacrifice child", "warning", "ended python3"),
        ("Memory cgroup out of memory: Killed process 4711 (jupyter-lab) total-vm:9kB", "warning", "ended jupyter-lab"),
        ("thermal thermal_zone0: acpitz: critical temperature reached, shutting down", "failed", "so hot"),
        (
            "CPU1: Package temperature above threshold, cpu clock throttled (total events = 4711)",
            "warning",
            "4711 times",
        ),
        ("hwmon hwmon1: Undervoltage detected!", "failed", "voltage"),
    ],
)
def test_hardware_that_failed(
    examine: Examine, healthy: Callable[[int], str], root: Path, line: str, status: str, means: str
) -> None:
    told = healthy(1)
    log(root, line, line)
    found = examine(told)["checks"]["kernel-errors"]
    assert (found["status"], means in found["measured"], line[:60] in found["measured"]) == (status, True, True), found
    assert found["measured"].count("“") == 1
    assert found["fix"]
