"""What GPUs count and know of themselves, on machines that are well otherwise; and what is no fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.doctor import machines
from tests.doctor.machines import GIB, Examine, write

LINKS = {f"nvlink.{link}": 1 for link in range(4)}
NO_LINKS = dict.fromkeys(LINKS, 0)
DAY = "86400.00 170000.00\n"

#: What one of two GPUs says, and what is said of it.
FAULTS = [
    ({"field.29": 40, "field.30": 23}, "gpu-memory-wear", "failed", "63 pages of memory are set aside"),
    ({"field.29": 0, "field.30": 15}, "gpu-memory-wear", "warning", "15 pages"),
    ({"field.31": 1}, "gpu-memory-wear", "warning", "is to be set aside at the next start"),
    ({"full_banks": 1}, "gpu-memory-wear", "warning", "a bank of memory has no spare row left"),
    ({"sram_exceeded": 1}, "gpu-memory-wear", "failed", "SRAM"),
    ({"inforom": "!14"}, "gpu-inforom", "warning", "damaged"),
    ({"field.230": 1}, "gpu-recovery", "failed", "asks for a reset of the GPU"),
    ({"field.230": 2}, "gpu-recovery", "failed", "a reboot"),
    ({"field.230": 4}, "gpu-recovery", "failed", "work ends and the GPU is reset"),
    ({"field.230": 77}, "gpu-recovery", "failed", "action 77"),
    ({"replays": 20_000}, "gpu-link-errors", "warning", "20000 packets were sent again, more than 8 a minute"),
    ({"field.82": 96, "memory_limit": 95}, "gpu-memory-temperature", "failed", "memory 96 °C, it slows down at 95 °C"),
    ({"field.82": 91, "memory_limit": 95}, "gpu-memory-temperature", "warning", "memory 91 °C"),
    ({"field.75": 8640 * 10**9}, "gpu-throttle-time", "warning", "for 144 minutes, 10 % of the time"),
    ({"bar1": 64 * 1024**2}, "gpu-bar1", "warning", "64 MiB, others of its kind have 256 MiB"),
    ({**LINKS, "nvlink.3": 0}, "gpu-nvlink", "failed", "3 NVLinks are up, others of its kind have 4"),
    ({**LINKS, "field.59": 2}, "gpu-nvlink", "warning", "2 replays and recoveries"),
    ({**LINKS, "field.38": 10**9}, "gpu-nvlink", "warning", "1000000000 checksum errors"),
    ({**NO_LINKS, "nvlink_to": 2}, "gpu-nvlink", "failed", "0 NVLinks are up"),
]

#: What GPUs in good health say.
HEALTHY = [
    {"field.29": 3, "field.30": 1, "field.31": 0, "full_banks": 0, "sram_exceeded": 0, "corrected": 12},
    {"inforom": "!3", "field.230": "!3", "replays": "!3", "bar1": "!3", "vbios": "!3", "field.75": "!3"},
    {"inforom": "!999", "field.230": 0, "replays": 100},
    {"field.82": 60, "memory_limit": 95, "field.75": 30 * 10**9},
    {"field.82": 0, "memory_limit": 95},
    {"field.82": 99, "memory_limit": "!3"},
    {"bar1": 24 * GIB},
    LINKS,
    NO_LINKS,
    {**LINKS, "field.38": 1000, "field.45": 10},
]

COUNTED = {
    *("gpu-memory-wear", "gpu-inforom", "gpu-recovery", "gpu-link-errors", "gpu-nvlink", "gpu-bar1"),
    *("gpu-memory-temperature", "gpu-throttle-time"),
}


@pytest.fixture
def rig(root: Path) -> Path:
    """A machine with two cards that runs for a day."""
    machines.machine(root, 2)
    write(root / "proc/uptime", DAY)
    return root


@pytest.mark.parametrize(("changed", "check", "status", "measured"), FAULTS)
def test_what_one_of_two_gpus_counts(
    examine: Examine, rig: Path, changed: dict[str, object], check: str, status: str, measured: str
) -> None:
    other = LINKS if check == "gpu-nvlink" else {}
    found = examine(machines.answers(2, gpu0=other, gpu1=changed))["checks"]
    assert (found[check]["status"], measured in found[check]["measured"]) == (status, True), found[check]
    assert "GPU 1" in found[check]["measured"] and "GPU 0" not in found[check]["measured"]
    assert found[check]["fix"]
    assert {found[name]["status"] for name in COUNTED - {check}} <= {"ok", "n/a"}


@pytest.mark.parametrize("told", HEALTHY)
def test_what_healthy_gpus_count(examine: Examine, rig: Path, told: dict[str, object]) -> None:
    found = examine(machines.answers(2, gpu0=told, gpu1=told))["checks"]
    assert {name: found[name]["measured"] for name in COUNTED if found[name]["status"] not in ("ok", "n/a")} == {}


def test_a_card_without_a_bridge_beside_two_with_one(examine: Examine, root: Path) -> None:
    machines.machine(root, 3)
    told = machines.answers(3, gpu0=LINKS, gpu1=LINKS, gpu2=NO_LINKS)
    assert examine(told)["checks"]["gpu-nvlink"]["status"] == "ok"


def test_the_firmware_is_told(examine: Examine, rig: Path) -> None:
    found = examine(machines.answers(2, gpu1={"vbios": "96.00.1"}))["checks"]["gpu-inforom"]
    assert found["measured"] == "whole; VBIOS 95.02.3c.00.5d, 96.00.1"


CARD = "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0"
PORT = "sys/devices/pci0000:00/0000:00:01.0"


@pytest.mark.parametrize(
    ("file", "text", "status", "measured"),
    [
        (f"{CARD}/aer_dev_fatal", "DLP 2\nTOTAL_ERR_FATAL 2\n", "failed", "0000:01:00.0: fatal errors of PCIe since"),
        (f"{CARD}/aer_dev_nonfatal", "CmpltTO 1\nTOTAL_ERR_NONFATAL 1\n", "warning", "CmpltTO ×1"),
        (f"{CARD}/aer_dev_correctable", "RxErr 3\nBadTLP 90000\nTOTAL_ERR_COR 90003\n", "warning", "BadTLP, more than"),
        (
            f"{PORT}/aer_dev_correctable",
            "RxErr 90000\nTOTAL_ERR_COR 90000\n",
            "warning",
            "the slot of 0000:01:00.0: 90000",
        ),
        (f"{CARD}/aer_dev_correctable", "RxErr 300\nTOTAL_ERR_COR 300\n", "ok", ""),
        (f"{CARD}/aer_dev_nonfatal", "UnsupReq 7\nTOTAL_ERR_NONFATAL 7\n", "ok", ""),
        (f"{CARD}/aer_dev_fatal", "TOTAL_ERR_FATAL 0\nrubbish \x00 9\n\xb2 7\n" + "9" * 9000, "ok", ""),
    ],
)
def test_errors_that_the_bus_counted(
    examine: Examine, rig: Path, file: str, text: str, status: str, measured: str
) -> None:
    write(rig / file, text)
    found = examine(machines.answers(2))["checks"]["gpu-link-errors"]
    assert (found["status"], measured in found["measured"]) == (status, True), found


def acs(control: int) -> bytes:
    """The configuration space of a switch's port: AER at 0x100, then ACS."""
    space = bytearray(4096)
    space[0x100:0x104] = (0x0001 | 0x148 << 20).to_bytes(4, "little")
    space[0x148:0x150] = (0x000D).to_bytes(4, "little") + b"\0\0" + control.to_bytes(2, "little")
    return bytes(space)


def below_a_switch(root: Path, control: int) -> None:
    """Puts two cards below ports of one PCIe switch."""
    machines.machine(root, 2)
    for index in range(2):
        address = machines.address(index)
        old = (root / "sys/bus/pci/devices" / address).resolve()
        new = root / f"sys/devices/pci0000:00/0000:00:0f.0/0000:0a:00.0/0000:0b:0{index}.0" / address
        new.parent.mkdir(parents=True)
        old.rename(new)
        (root / "sys/bus/pci/devices" / address).unlink()
        (root / "sys/bus/pci/devices" / address).symlink_to(new)
        (new.parent / "config").write_bytes(acs(control))


@pytest.mark.parametrize(
    ("control", "told", "status"),
    [(0x1D, {}, "warning"), (0x01, {}, "ok"), (0x1D, {"peers": 2}, "n/a"), (0x1D, LINKS, "n/a")],
    ids=["redirected", "checked only", "no peer-to-peer by design", "over NVLink"],
)
def test_acs_between_gpus(examine: Examine, root: Path, control: int, told: dict[str, object], status: str) -> None:
    below_a_switch(root, control)
    found = examine(machines.answers(2, gpu0=told, gpu1=told))["checks"]["gpu-peers-path"]
    assert found["status"] == status, found
    if status == "warning":
        assert "at 0000:0b:00.0, 0000:0b:01.0" in found["measured"]
        assert "sudo setpci -s 0000:0b:00.0 ECAP_ACS+0x6.w=0000" in found["fix"]


@pytest.mark.parametrize(("kind", "status"), [("DMA", "warning"), ("DMA-FQ", "warning"), ("identity", "ok")])
def test_an_iommu_that_translates_between_gpus(
    examine: Examine, healthy: Callable[[int], str], root: Path, kind: str, status: str
) -> None:
    told = healthy(2)
    for index in range(2):
        write(root / "sys/bus/pci/devices" / machines.address(index) / "iommu_group/type", f"{kind}\n")
    found = examine(told)["checks"]["gpu-peers-path"]
    assert found["status"] == status
    assert ("iommu=pt" in found["fix"]) == (status == "warning")


@pytest.mark.parametrize("space", [b"", b"\xff" * 4096, b"\0" * 64, acs(0x1D)[:0x100] + b"\x01\0\0\x10" * 960])
def test_a_configuration_space_of_rubbish(examine: Examine, root: Path, space: bytes) -> None:
    below_a_switch(root, 0)
    for port in root.glob("sys/devices/pci0000:00/0000:00:0f.0/0000:0a:00.0/*"):
        (port / "config").write_bytes(space)
    assert examine(machines.answers(2))["checks"]["gpu-peers-path"]["status"] == "ok"
