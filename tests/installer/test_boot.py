"""What makes the installed system start."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from rigforge.installer import boot
from rigforge.installer.boot import (
    GRUB_SETTINGS,
    TO_THE_NEXT,
    check_configuration,
    crypttab,
    distribution_id,
    fstab,
    hold_back,
    let_start,
    start_script,
    write_tables,
)
from rigforge.installer.errors import InstallError
from rigforge.installer.partition import Filesystem, Volumes, sfdisk_script, table
from rigforge.installer.storage_section import DiskLayout

ROOT = Filesystem("/dev/sda3", "/", "ext4", "0a1b2c3d-0000-4000-8000-000000000001")
ESP = Filesystem("/dev/sda2", "/boot/efi", "vfat", "ABCD-1234")


def test_fstab_names_file_systems_by_uuid() -> None:
    assert fstab((ROOT, ESP)).splitlines()[1:] == [
        "UUID=0a1b2c3d-0000-4000-8000-000000000001 / ext4 errors=remount-ro 0 1",
        "UUID=ABCD-1234 /boot/efi vfat umask=0077 0 2",
    ]


def test_fstab_is_one_that_mount_understands(tmp_path: Path) -> None:
    file = tmp_path / "fstab"
    file.write_text(fstab((ROOT, ESP)))
    listing = ["findmnt", "--tab-file", file, "--noheadings", "--raw", "--output", "TARGET,FSTYPE,PASSNO"]
    found = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
    assert found.splitlines() == ["/ ext4 1", "/boot/efi vfat 2"]


def test_crypttab_is_written_for_an_encrypted_disk_only(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    write_tables(tmp_path, Volumes("/dev/sda", (ROOT, ESP)))
    assert (tmp_path / "etc/fstab").read_text() == fstab((ROOT, ESP), grows=True)
    assert not (tmp_path / "etc/crypttab").exists()
    write_tables(tmp_path, Volumes("/dev/sda", (ROOT, ESP), luks_uuid="1234"))
    assert (tmp_path / "etc/crypttab").read_text() == crypttab("1234")


def test_a_root_of_its_own_partition_grows_with_the_disk(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    write_tables(tmp_path, Volumes("/dev/sda", (ROOT, ESP)))
    assert " / ext4 errors=remount-ro,x-systemd.growfs 0 1\n" in (tmp_path / "etc/fstab").read_text()
    assert "Type=root\n" in (tmp_path / "etc/repart.d/rigforge.conf").read_text()


def test_a_larger_disk_is_the_roots_and_the_other_partitions_stay(tmp_path: Path) -> None:
    """systemd-repart itself, on an image as the installer lays it out, that was enlarged from 1 to 3 GiB."""
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.truncate(1 << 30)
    script = sfdisk_script(table(DiskLayout("direct")))
    subprocess.run(["sfdisk", "--quiet", disk], input=script, text=True, check=True)
    before = partitions(disk)
    with disk.open("r+b") as file:
        file.truncate(3 << 30)
    (tmp_path / "etc").mkdir()
    write_tables(tmp_path, Volumes("/dev/sda", (ROOT, ESP)))
    subprocess.run(["systemd-repart", "--dry-run=no", f"--definitions={tmp_path}/etc/repart.d", disk], check=True)
    after = partitions(disk)
    assert after[:-1] == before[:-1]
    assert after[-1][0] == before[-1][0]
    assert after[-1][1] - before[-1][1] == pytest.approx(2 << 30, abs=1 << 20)


def partitions(disk: Path) -> list[tuple[int, int]]:
    """Returns start and size of the partitions, in bytes."""
    listed = subprocess.run(["sfdisk", "--json", disk], capture_output=True, text=True, check=True).stdout
    return [(entry["start"] * 512, entry["size"] * 512) for entry in json.loads(listed)["partitiontable"]["partitions"]]


def test_no_partition_is_made_beside_a_volume_group(tmp_path: Path) -> None:
    """systemd-repart makes the partition that it does not find."""
    (tmp_path / "etc").mkdir()
    volume = Filesystem("/dev/rigforge/root", "/", "ext4", ROOT.uuid)
    write_tables(tmp_path, Volumes("/dev/sda", (volume, ESP)))
    assert "growfs" not in (tmp_path / "etc/fstab").read_text()
    assert not (tmp_path / "etc/repart.d").exists()


def test_crypttab_asks_for_the_passphrase_in_the_initramfs() -> None:
    assert crypttab("1234").splitlines()[1] == "rigforge-crypt UUID=1234 none luks,discard,initramfs"


def test_grub_settings_add_to_what_the_stack_put_there() -> None:
    script = f'GRUB_CMDLINE_LINUX="from_the_stack"\n{GRUB_SETTINGS}\necho "$GRUB_CMDLINE_LINUX|$GRUB_TERMINAL"'
    output = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, check=True).stdout
    assert output == "from_the_stack console=tty0 console=ttyS0,115200n8|console serial\n"


@pytest.mark.parametrize(
    ("text", "name"), [("ID=debian\n", "debian"), ('NAME="U"\nVERSION_ID="24"\nID="ubuntu"', "ubuntu")]
)
def test_the_boot_folder_has_the_distributions_name(text: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text(text)
    assert distribution_id(tmp_path) == name


def configured(root: Path, root_option: str, kernel: str = "/boot/vmlinuz-6.1") -> Path:
    (root / "boot/grub").mkdir(parents=True)
    (root / "boot/vmlinuz-6.1").write_text("kernel")
    (root / "boot/grub/grub.cfg").write_text(f"menuentry x {{\n\tlinux\t{kernel} {root_option} ro\n}}\n")
    return root


@pytest.mark.parametrize(
    ("root_option", "kernel"),
    [
        (f"root=UUID={ROOT.uuid}", "/boot/vmlinuz-6.1"),
        ("root=/dev/mapper/rigforge-root", "/boot/vmlinuz-6.1"),
        ("root=/dev/mapper/rigforge-root", "/vmlinuz-6.1"),
    ],
)
def test_a_configuration_that_starts_the_new_root_is_good(root_option: str, kernel: str, tmp_path: Path) -> None:
    check_configuration(configured(tmp_path, root_option, kernel), ROOT.uuid)


def test_a_configuration_for_another_root_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="does not start from the new root"):
        check_configuration(configured(tmp_path, "root=UUID=of-another-disk"), ROOT.uuid)


def test_a_configuration_without_a_kernel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="starts no kernel"):
        check_configuration(tmp_path, ROOT.uuid)
    with pytest.raises(InstallError, match="starts no kernel"):
        check_configuration(configured(tmp_path, f"root=UUID={ROOT.uuid}", "/boot/vmlinuz-gone"), ROOT.uuid)


def test_the_mediums_menu_finds_the_kernels_of_the_disk() -> None:
    root = Filesystem("/dev/vda3", "/", "ext4", "1111")
    esp = Filesystem("/dev/vda2", "/boot/efi", "vfat", "2222")
    script = start_script(Volumes("/dev/vda", (root, esp)))
    assert "--fs-uuid --set=root 1111\n" in script
    assert "prefix=($root)/boot/grub\n" in script


def test_the_mediums_menu_finds_the_kernels_beside_an_encrypted_root() -> None:
    root = Filesystem("/dev/mapper/root", "/", "ext4", "1111")
    kernels = Filesystem("/dev/vda3", "/boot", "ext4", "3333")
    esp = Filesystem("/dev/vda2", "/boot/efi", "vfat", "2222")
    script = start_script(Volumes("/dev/vda", (root, kernels, esp), "4444"))
    assert "--fs-uuid --set=root 3333\n" in script
    assert "prefix=($root)/grub\n" in script


def test_a_system_that_is_not_complete_is_held_back_until_it_is(tmp_path: Path) -> None:
    hold_back(tmp_path)
    # Of /etc/grub.d/41_custom: `if [ -f $prefix/custom.cfg ]; then source $prefix/custom.cfg`.
    assert (tmp_path / "boot/grub/custom.cfg").read_text() == TO_THE_NEXT
    let_start(tmp_path)
    assert not (tmp_path / "boot/grub/custom.cfg").exists()
    let_start(tmp_path)


@pytest.mark.parametrize(
    ("firmware", "written"),
    [
        ("bios", ["update-grub", "grub-install", "written out", "grub-bios-setup"]),
        ("efi", ["update-grub", "written out", "grub-install", "written out"]),
    ],
)
def test_what_firmware_starts_is_written_when_all_that_it_reads_is_on_the_disk(
    firmware: str, written: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "efi").mkdir()
    monkeypatch.setattr(boot, "EFI_FIRMWARE", tmp_path / firmware)
    (tmp_path / "boot/grub").mkdir(parents=True)
    (tmp_path / "boot/vmlinuz").touch()
    (tmp_path / "boot/grub/grub.cfg").write_text(f"linux /boot/vmlinuz root=UUID={ROOT.uuid}\n")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text("ID=debian\n")
    done: list[str] = []

    def run(words: list[str], *, check: bool = True) -> int:
        done.append(Path(words[2]).name)
        return 0

    monkeypatch.setattr(boot, "run", run)
    monkeypatch.setattr(boot, "write_out", lambda folder: done.append("written out"))
    boot.install(tmp_path, Volumes("/dev/sda", (ROOT, ESP)), print)
    assert done == written
