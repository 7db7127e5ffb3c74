"""What only the live system on the medium has: installer, its units, and consoles that need no password."""

from __future__ import annotations

from importlib import resources

from rigforge.layers.root import Root

#: Whoever holds the stick holds the machine; there is no network login in the live system.
AUTOLOGIN = """\
[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin root --noclear --keep-baud 115200,57600,38400,9600 %I $TERM
"""

GREETING = """\
Rigforge live system: nothing on this machine's disks is touched. `python` is the stack's environment.
"""


def build(root: Root) -> None:
    """Adds the installer, as the package `rigforge.target` under /usr/lib/rigforge."""
    place = "usr/lib/rigforge/rigforge"
    root.write(f"{place}/__init__.py", "")
    target = resources.files("rigforge.target")
    for file in sorted(target.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".py"):
            root.write(f"{place}/target/{file.name}", file.read_text())
    for unit in sorted(target.joinpath("units").iterdir(), key=lambda file: file.name):
        root.write(f"etc/systemd/system/{unit.name}", unit.read_text())
    for console in ("getty@tty1", "serial-getty@ttyS0"):
        root.write(f"etc/systemd/system/{console}.service.d/autologin.conf", AUTOLOGIN)
    root.write("etc/motd", GREETING)
    root.write("etc/hostname", "rigforge-live\n")
    root.write("etc/cloud/cloud-init.disabled", "")
    for service in ("ssh.service", "docker.service", "docker.socket", "unattended-upgrades.service"):
        root.chroot(["systemctl", "mask", service])
