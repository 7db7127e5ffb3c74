"""What only the live system on the medium has: installer, its units, and consoles that need no password."""

from __future__ import annotations

from rigforge.layers import own_files
from rigforge.layers.root import NoOptions, Root

#: What the units start.
PROGRAMS = ("rigforge.installer.check", "rigforge.installer.install")

#: The kernel's command line in the boot menu says which of the targets a start is for.
UNITS = (
    "rigforge-check.service",
    "rigforge-check.target",
    "rigforge-install.service",
    "rigforge-install.target",
    "rigforge-shell@.service",
)
DATA = tuple(f"installer/units/{unit}" for unit in UNITS)

#: Whoever holds the stick holds the machine; there is no network login in the live system.
AUTOLOGIN = """\
[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin root --noclear --keep-baud 115200,57600,38400,9600 %I $TERM
"""

GREETING = """\
Rigforge live system: nothing on this machine's disks is touched. `python` is the stack's environment.
"""


Options = NoOptions


def build(root: Root, options: Options) -> None:
    """Adds the installer, as the package `rigforge.installer` under /usr/lib/rigforge."""
    own_files.add_modules(root, *PROGRAMS)
    own_files.add_units(root, "installer", *UNITS, enabled=False)
    for console in ("getty@tty1", "serial-getty@ttyS0"):
        root.write(f"etc/systemd/system/{console}.service.d/autologin.conf", AUTOLOGIN)
    root.write("etc/motd", GREETING)
    root.write("etc/hostname", "rigforge-live\n")
    root.write("etc/cloud/cloud-init.disabled", "")
    for service in ("ssh.service", "docker.service", "docker.socket", "unattended-upgrades.service"):
        root.chroot(["systemctl", "mask", service])
