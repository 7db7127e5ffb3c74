"""What a machine says of itself after a boot: its GPU driver, and plainly so when Secure Boot keeps it from loading.

Written to /var/lib/rigforge/report, shown on the consoles and before each login.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

REPORT = Path("/var/lib/rigforge/report")

#: The kernel's answers to a module whose signature it does not trust (modprobe prints them).
REJECTED = ("Key was rejected by service", "Required key not available", "Operation not permitted")

#: Names of the module's file: NVIDIA's and Debian's. (nvidiafb is the kernel's own and something else.)
MODULES = ("nvidia", "nvidia-current")

#: The fifth byte says whether Secure Boot is on (UEFI specification 2.10, 3.3: global variables).
SECURE_BOOT = Path("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c")


@dataclass(frozen=True)
class Loading:
    """How loading the driver's module went: nothing was tried where `tried` is false."""

    tried: bool
    ok: bool = False
    error: str = ""


def secure_boot(variable: Path = SECURE_BOOT) -> bool:
    """Says whether the firmware has Secure Boot switched on."""
    try:
        return variable.read_bytes()[4:5] == b"\x01"
    except OSError:
        return False


def load_driver(kernel: str, modules: Path = Path("/lib/modules")) -> Loading:
    """Loads the NVIDIA module, if this kernel has one."""
    found = [path for name in MODULES for path in (modules / kernel).rglob(f"{name}.ko*")]
    if not found:
        return Loading(tried=False)
    result = subprocess.run(["modprobe", "nvidia"], capture_output=True, text=True, check=False)
    return Loading(tried=True, ok=result.returncode == 0, error=result.stderr.strip())


def lines(kernel: str, secured: bool, loading: Loading) -> list[str]:
    """Returns the report, a line each.

    >>> lines("6.1.0-56-amd64", False, Loading(tried=False))
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


def main() -> None:
    kernel = Path("/proc/sys/kernel/osrelease").read_text().strip()
    text = "\n".join(lines(kernel, secure_boot(), load_driver(kernel))) + "\n"
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
