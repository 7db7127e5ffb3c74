"""GRUB on a disk that is a file, for BIOS and UEFI: what grub-install and grub-bios-setup do to a disk of a machine.

Sources: GRUB 2.06, util/setup.c, include/grub/i386/pc/boot.h and grub-core/boot/i386/pc/diskboot.S.
"""

from __future__ import annotations

import struct
from pathlib import Path

from rigforge import guest
from rigforge.installer import boot, partition
from rigforge.layers.root import Root, show
from rigforge.process import run

#: What GRUB for BIOS needs to find the root's file system; from there it loads what its menu asks for.
MODULES = ("biosdisk", "part_gpt", "ext2", "search", "search_fs_uuid", "configfile", "normal", "linux")

#: GRUB's platforms: a machine may be moved from one firmware to the other.
PLATFORMS = ("i386-pc", "x86_64-efi")

#: The distribution's signed boot loaders, by their names in its own folder on the EFI system partition. GRUB's looks
#: there for its configuration.
EFI = {
    "shimx64.efi": "usr/lib/shim/shimx64.efi.signed",
    "mmx64.efi": "usr/lib/shim/mmx64.efi.signed",
    "grubx64.efi": "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed",
}

#: What firmware starts on a disk that it has no boot entry for. Without shim's fallback, which would make one and
#: start the machine once more.
REMOVABLE = {"shimx64.efi": "BOOTX64.EFI"}

#: grub-probe asks the kernel what / is mounted from, and here that is no disk yet.
PROBE = """\
#!/bin/sh
for word; do
    case $word in
        --target=*) target=${{word#*=}} ;;
    esac
    [ "${{before-}}" != -t ] || target=$word
    before=$word
done
case ${{target-}} in
    device) echo {device} ;;
    fs) echo ext2 ;;
    fs_uuid) echo {uuid} ;;
    partmap) echo gpt ;;
    abstraction) ;;
    drive | compatibility_hint) echo hd0,gpt3 ;;
    *) exit 1 ;;
esac
"""

SECTOR = 512

#: Offsets in boot.img: where the sector of the core image stands, the check of the drive that BIOS names, which setup
#: switches off on hard disks, and the space of BIOS' parameters and of the partition table, which stay the disk's.
KERNEL_SECTOR, DRIVE_CHECK = 0x5C, 0x66
PARAMETERS, PARTITIONS = slice(0x03, 0x5A), slice(0x1B8, 0x1FE)
NO_CHECK = b"\x90\x90"

#: In the first sector of the core image: where the rest of it begins (8 bytes), how many sectors that has (2).
REST = SECTOR - 12


def install(root: Root, volumes: partition.Volumes, name: str) -> None:
    """Puts GRUB's files and its menu into the system of a disk, and into /boot/efi what firmware starts.

    `name` is the disk's id, which a medium looks for.
    """
    root.write("etc/default/grub.d/rigforge.cfg", boot.GRUB_SETTINGS)
    for platform in PLATFORMS:
        folder = f"boot/grub/{platform}"
        root.at(folder).mkdir(parents=True)
        root.chroot(["sh", "-c", f"cp /usr/lib/grub/{platform}/*.mod /usr/lib/grub/{platform}/*.lst /{folder}"])
    root.chroot(["cp", "/usr/lib/grub/i386-pc/boot.img", "/boot/grub/i386-pc"])
    root.chroot(["grub-editenv", "/boot/grub/grubenv", "create"])
    script = boot.start_script(volumes)
    root.write("tmp/core.cfg", script)
    core = ["--format=i386-pc", "--prefix=/boot/grub", "--config=/tmp/core.cfg"]
    root.chroot(["grub-mkimage", *core, "--output=/boot/grub/i386-pc/core.img", *MODULES])
    _write_menu(root, volumes.root)
    directory = f"boot/efi/EFI/{boot.distribution_id(root.path)}"
    for folder in (directory, "boot/efi/EFI/BOOT"):
        root.at(folder).mkdir(parents=True)
    for loader, source in EFI.items():
        root.take(source, root.at(f"{directory}/{loader}"))
        root.take(source, root.at(f"boot/efi/EFI/BOOT/{REMOVABLE.get(loader, loader)}"))
    root.write(f"{directory}/grub.cfg", script)
    root.write(f"boot/efi/EFI/rigforge/{name}", script)


def _write_menu(root: Root, filesystem: partition.Filesystem) -> None:
    probe = root.path.with_name("grub-probe")
    probe.write_text(PROBE.format(device=filesystem.device, uuid=filesystem.uuid))
    probe.chmod(0o755)
    place = root.at("usr/sbin/grub-probe")
    show(probe, place)
    # The menu names a root by its UUID only where that is known to udev.
    root.write(f"dev/disk/by-uuid/{filesystem.uuid}", "")
    root.chroot(["update-grub"])
    run(["umount", place])
    boot.check_configuration(root.path, filesystem.uuid)


def embed(disk: Path, place: tuple[int, int], system: Path) -> None:
    """Writes GRUB for BIOS where BIOS starts it: the boot sector, and the core image into its own partition.

    `place` is where that begins and its size, in bytes; `system` the root with GRUB's files.
    """
    start, size = place
    core = guest.regular(system, "boot/grub/i386-pc/core.img").read_bytes()
    loader = guest.regular(system, "boot/grub/i386-pc/boot.img").read_bytes()
    if len(core) > size:
        raise ValueError(f"GRUB's core image has {len(core)} bytes, its partition {size}")
    with disk.open("r+b") as file:
        sector = boot_sector(loader, file.read(SECTOR), start // SECTOR)
        file.seek(0)
        file.write(sector)
        file.seek(start)
        file.write(core_image(core, start // SECTOR))


def boot_sector(loader: bytes, present: bytes, core: int) -> bytes:
    """Returns the boot sector with GRUB's `loader` for a core image at the sector `core`; all else is as at present."""
    sector = bytearray(loader)
    sector[PARAMETERS], sector[PARTITIONS] = present[PARAMETERS], present[PARTITIONS]
    struct.pack_into("<Q", sector, KERNEL_SECTOR, core)
    sector[DRIVE_CHECK : DRIVE_CHECK + len(NO_CHECK)] = NO_CHECK
    return bytes(sector)


def core_image(core: bytes, start: int) -> bytes:
    """Returns the core image for a place of its own that begins at the sector `start`."""
    image = bytearray(core)
    struct.pack_into("<Q", image, REST, start + 1)
    return bytes(image)
