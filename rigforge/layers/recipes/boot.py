"""What firmware and boot menu need of the host layer, as files for the medium: they are left in /medium.

Not shipped as a layer: the medium has these files beside the layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rigforge import guest
from rigforge.layers.root import Root
from rigforge.process import run

#: What GRUB for BIOS needs built in to find its menu, show it on screen and serial line, and boot from it.
MODULES = (
    *("biosdisk", "iso9660", "part_gpt", "part_msdos", "fat", "search", "search_fs_file", "search_label"),
    *("normal", "configfile", "linux", "linux16", "chain", "regexp", "test", "echo", "sleep", "halt", "reboot"),
    *("serial", "terminal", "all_video", "gfxterm", "font", "ls", "cat"),
    *("ext2", "lvm", "search_fs_uuid", "gzio", "loadenv", "minicmd"),
)

#: Finds the medium the image was started from, also where the firmware calls it a hard disk.
EARLY_CONFIG = """\
search --no-floppy --file --set=root --hint "$root" /rigforge/medium.json
set prefix=($root)/boot/grub
"""

#: The distribution's signed boot loaders, by their names on an EFI system partition.
EFI = {
    "BOOTX64.EFI": "usr/lib/shim/shimx64.efi.signed",
    "mmx64.efi": "usr/lib/shim/mmx64.efi.signed",
    "grubx64.efi": "usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed",
}

EFI_IMAGE_KIB = 8192


@dataclass(frozen=True)
class Options:
    """`kernel` as `uname -r` has it; `loaders`: whether the medium gets memory test and boot images from here."""

    kernel: str
    loaders: bool


def build(root: Root, options: Options) -> None:
    """Fills /medium with kernel and initramfs and, unless the medium has its own, memory test and boot images."""
    medium = root.at("medium", follow=False)
    medium.mkdir()
    for name in ("vmlinuz", "initrd.img"):
        root.take(f"boot/{name}-{options.kernel}", medium / name)
    if options.loaders:
        _loaders(root, medium)


def _loaders(root: Root, medium: Path) -> None:
    for name, source in {
        "memtest.bin": "boot/memtest86+x64.bin",
        "memtest.efi": "boot/memtest86+x64.efi",
        "boot_hybrid.img": "usr/lib/grub/i386-pc/boot_hybrid.img",
    }.items():
        root.take(source, medium / name)
    root.write("tmp/early.cfg", EARLY_CONFIG)
    root.chroot(
        ["grub-mkimage", "--format=i386-pc-eltorito", "--prefix=/boot/grub", "--config=/tmp/early.cfg"]
        + ["--output=/medium/bios.img", *MODULES]
    )
    _efi_image(root, medium / "efi.img")


def _efi_image(root: Root, image: Path) -> None:
    """Makes the EFI system partition: a FAT file system of `EFI_IMAGE_KIB` KiB, the same bytes every time."""
    run(["mkfs.vfat", "--invariant", "-C", "-F", "12", "-n", "RIGFORGE", image, str(EFI_IMAGE_KIB)])
    dated = {"SOURCE_DATE_EPOCH": str(root.epoch)}
    run(["mmd", "-i", image, "::EFI", "::EFI/BOOT"], env=dated)
    for name, source in EFI.items():
        run(["mcopy", "-i", image, guest.regular(root.path, source), f"::EFI/BOOT/{name}"], env=dated)
