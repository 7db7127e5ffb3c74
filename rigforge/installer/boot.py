"""Files that make the installed system start: fstab, crypttab, and GRUB for the machine's firmware."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from rigforge import guest
from rigforge.installer.command import run
from rigforge.installer.copy import write_out
from rigforge.installer.errors import InstallError
from rigforge.installer.partition import CRYPT_NAME, Filesystem, Volumes

EFI_FIRMWARE = Path("/sys/firmware/efi")

#: Read after /etc/default/grub, so that what the stack put there stays.
GRUB_SETTINGS = """\
# Written by the installer: the machine can be used from its screen and from its first serial port.
GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX console=tty0 console=ttyS0,115200n8"
GRUB_TERMINAL="console serial"
GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"
GRUB_TIMEOUT=2
GRUB_DISABLE_OS_PROBER=true
"""

#: Read by every menu that update-grub makes (/etc/grub.d/41_custom), before it is shown.
UNFINISHED = "boot/grub/custom.cfg"

#: Has the firmware go on to what comes after this disk, which is where the medium is.
TO_THE_NEXT = """\
echo "The installation on this disk was cut short. It begins again from the medium."
sleep 5
exit
"""

#: Writes GRUB where BIOS starts it; Debian and Ubuntu have it beside the modules (package grub-pc-bin), not in PATH.
BOOT_SECTORS = "/usr/lib/grub/i386-pc/grub-bios-setup"

_OPTIONS = {"ext4": "errors=remount-ro", "vfat": "umask=0077"}

#: For systemd-repart: a larger disk gives what it has more to the root's partition (repart.d(5)).
GROW = """\
[Partition]
Type=root
"""


def fstab(filesystems: tuple[Filesystem, ...], *, grows: bool = False) -> str:
    """Returns the text of /etc/fstab; with `grows` the root is enlarged at boot where its partition was."""
    lines = ["# <file system> <mount point> <type> <options> <dump> <pass>"]
    for volume in filesystems:
        check_pass = 1 if volume.mountpoint == "/" else 2
        growing = ",x-systemd.growfs" if grows and volume.mountpoint == "/" else ""
        lines.append(
            f"UUID={volume.uuid} {volume.mountpoint} {volume.type} {_OPTIONS[volume.type]}{growing} 0 {check_pass}"
        )
    return "\n".join(lines) + "\n"


def crypttab(luks_uuid: str) -> str:
    """Returns the text of /etc/crypttab; the passphrase is asked for when the machine starts."""
    return f"# <name> <device> <key> <options>\n{CRYPT_NAME} UUID={luks_uuid} none luks,discard,initramfs\n"


def write_tables(target: Path, volumes: Volumes) -> None:
    """Writes fstab below `target`, for an encrypted disk crypttab, and what lets a plain root grow with its disk."""
    # Only where the root is a partition itself: systemd-repart would make one that it does not find.
    grows = volumes.root.device.startswith(volumes.disk)
    guest.write(target, "etc/fstab", fstab(volumes.filesystems, grows=grows))
    if grows:
        guest.write(target, "etc/repart.d/rigforge.conf", GROW)
    if volumes.luks_uuid:
        guest.write(target, "etc/crypttab", crypttab(volumes.luks_uuid))


def start_script(volumes: Volumes) -> str:
    """Returns what another GRUB reads to start this disk.

    A GRUB that was started through shim cannot start a second shim (16.1 finds no file system then), so the medium's
    own takes over the disk's menu; the kernel is checked by the same shim either way.
    """
    kernels = volumes.filesystems[-2]
    folder = "/boot/grub" if kernels.mountpoint == "/" else "/grub"
    return (
        f"search --no-floppy --fs-uuid --set=root {kernels.uuid}\n"
        f"set prefix=($root){folder}\n"
        "configfile $prefix/grub.cfg\n"
    )


def hold_back(target: Path) -> None:
    """Keeps a system that is not complete from being started, whatever late-commands do to the menu."""
    guest.write(target, UNFINISHED, TO_THE_NEXT)


def let_start(target: Path) -> None:
    """Lets the system be started: it is complete, and on the disk."""
    guest.resolve(target, UNFINISHED, follow=False).unlink(missing_ok=True)


def install(target: Path, volumes: Volumes, note: Callable[[str], None]) -> None:
    """Installs GRUB and its configuration in the system at `target`, whose /dev, /proc and /sys are mounted.

    `note` is told what went other than usual. Raises CommandFailed, InstallError.
    """
    guest.write(target, "etc/default/grub.d/rigforge.cfg", GRUB_SETTINGS)
    if volumes.luks_uuid:
        # Only now does the initramfs have a disk to ask a passphrase for.
        run(["chroot", target, "update-initramfs", "-u"])
    run(["chroot", target, "update-grub"])
    check_configuration(target, volumes.root.uuid)
    # What firmware starts is written last, when all that it reads is on the disk: power may fail in between.
    if EFI_FIRMWARE.is_dir():
        write_out(guest.resolve(target, "boot/grub"))
        _install_efi(target, note)
        write_out(guest.resolve(target, "boot/efi"))
    else:
        run(["chroot", target, "grub-install", "--target=i386-pc", "--no-bootsector", volumes.disk])
        write_out(guest.resolve(target, "boot/grub"))
        run(["chroot", target, BOOT_SECTORS, "--directory=/boot/grub/i386-pc", volumes.disk])


def _install_efi(target: Path, note: Callable[[str], None]) -> None:
    # The signed GRUB looks for its configuration in the folder of the distribution's name. The removable path
    # (EFI/BOOT) is what firmware starts that has forgotten its boot entries.
    command = ["grub-install", "--target=x86_64-efi", "--uefi-secure-boot", "--efi-directory=/boot/efi"]
    command += [f"--bootloader-id={distribution_id(target)}", "--force-extra-removable"]
    if run(["chroot", target, *command], check=False):
        run(["chroot", target, *command, "--no-nvram"])
        note("the firmware took no boot entry; it will start the disk by EFI/BOOT/BOOTX64.EFI")


def distribution_id(target: Path) -> str:
    """Returns ID of the target's os-release."""
    for line in guest.read(target, "etc/os-release").splitlines():
        key, _, value = line.partition("=")
        if key == "ID":
            return value.strip("\"'")
    raise InstallError(f"{target}/etc/os-release has no ID", "the system on this medium is not complete")


def check_configuration(target: Path, root_uuid: str) -> None:
    """Raises InstallError unless GRUB's configuration starts a kernel that is there, from the root that was made."""
    configuration = guest.resolve(target, "boot/grub/grub.cfg")
    words = configuration.read_text().split() if configuration.is_file() else []
    kernels = [after for word, after in pairwise(words) if word == "linux"]
    # With /boot on its own partition GRUB's paths begin below it.
    paths = [path for path in kernels if any(guest.resolve(target, top + path).is_file() for top in ("", "/boot"))]
    if not paths:
        raise InstallError(f"{configuration} starts no kernel", "the system on this medium has no kernel in /boot")
    if f"root=UUID={root_uuid}" not in words and not any(word.startswith("root=/dev/mapper/") for word in words):
        raise InstallError(f"{configuration} does not start from the new root file system {root_uuid}")
