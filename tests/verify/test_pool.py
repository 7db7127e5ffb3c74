"""What apt says of a medium's pool in the tree of the layers: nothing of a good one, and each fault by its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from rigforge.verify.pool import SOURCES, TRUSTED, MediumPackages, problems, wishes
from tests.images.live_server_pool import CODENAMES, Pool, cdrom_sources
from tests.sources.signed_archive import Key, key
from tests.verify.stub_pool import INSTALLED, KERNEL, lay_tree, stub_pool

__all__ = ["key"]

IMAGE = f"linux-image-{KERNEL}"
PIN = "build the ISO anew, with a pin in etc/apt/preferences.d in place of the hold"


@pytest.fixture(scope="module")
def one_time_key() -> Iterator[Key]:
    made = Key()
    yield made
    made.close()


@pytest.fixture(scope="module")
def noble(key: Key, tmp_path_factory: pytest.TempPathFactory) -> Pool:
    """24.04: signed with the layers' key."""
    return stub_pool(tmp_path_factory.mktemp("noble"), "24.04", key)


@pytest.fixture(scope="module")
def resolute(one_time_key: Key, tmp_path_factory: pytest.TempPathFactory) -> Pool:
    """26.04: signed with a key of its own."""
    return stub_pool(tmp_path_factory.mktemp("resolute"), "26.04", one_time_key)


def found(
    folder: Path,
    pool: Pool,
    key: Key,
    *,
    release: str = "24.04",
    installed: Mapping[str, Mapping[str, str]] = INSTALLED,
    sources: str = "",
    document: Mapping[str, Any] | None = None,
) -> list[str]:
    """Returns the problems of layers with these packages and this `SOURCES`, on a medium with this pool."""
    tree = lay_tree(folder / "tree", installed, key)
    if sources:
        (tree / SOURCES).parent.mkdir()
        (tree / SOURCES).write_text(sources)
    places = {str(file.relative_to(pool.tree)) for file in pool.tree.rglob("*") if file.is_file()}
    return list(problems(tree, MediumPackages(pool.tree, places, release, pool.sources or None), IMAGE, document or {}))


def test_nothing_is_wrong_where_the_key_is_of_the_keyring(tmp_path: Path, noble: Pool, key: Key) -> None:
    assert found(tmp_path, noble, key) == []


def test_nothing_is_wrong_where_the_key_is_of_the_medium_alone(tmp_path: Path, resolute: Pool, key: Key) -> None:
    assert found(tmp_path, resolute, key, release="26.04", sources=resolute.sources) == []


def test_a_key_that_the_layers_lack_is_told(tmp_path: Path, key: Key, one_time_key: Key) -> None:
    (problem,) = found(tmp_path, stub_pool(tmp_path, "24.04", one_time_key), key)
    assert problem.startswith("the pool's index is signed with key ")
    assert (
        ", which no file in etc/apt/trusted.gpg.d of the layers has: name ubuntu-keyring in packages.base, " in problem
    )


def test_layers_without_any_key_are_told(tmp_path: Path, noble: Pool, key: Key) -> None:
    tree = lay_tree(tmp_path / "tree", INSTALLED, key)
    (tree / TRUSTED / "a.gpg").unlink()
    (problem,) = problems(tree, MediumPackages(noble.tree, (), "24.04", None), IMAGE, {})
    assert ", which no file in etc/apt/trusted.gpg.d of the layers has: name ubuntu-keyring in " in problem


def test_layers_without_the_mediums_own_key_are_told(tmp_path: Path, resolute: Pool, key: Key) -> None:
    first, second = found(tmp_path, resolute, key, release="26.04")
    assert first == f"the layers have no {SOURCES}, and nothing else has the key of the pool: build the ISO anew"
    assert "is signed with key " in second


def test_the_key_of_another_medium_is_told(tmp_path: Path, resolute: Pool, key: Key) -> None:
    first, second = found(tmp_path, resolute, key, release="26.04", sources=cdrom_sources("resolute", key))
    assert first == f"{SOURCES} of the layers is of another ISO, with the key of another pool: build the ISO anew"
    assert second.endswith(f"which {SOURCES} of the layers lacks: build the ISO anew")


def test_a_medium_that_does_not_tell_its_key_is_told(tmp_path: Path, key: Key) -> None:
    pool = Pool(stub_pool(tmp_path, "26.04", key).tree)
    (problem,) = found(tmp_path, pool, key, release="26.04")
    assert problem.startswith(f"Canonical's lowest layer has no {SOURCES}, with the key of the pool: take Canonical's")


@pytest.mark.parametrize("missing", ["gettext-base", "libpng16-16"])
def test_what_neither_layers_nor_pool_have_is_told(tmp_path: Path, noble: Pool, key: Key, missing: str) -> None:
    """Canonical's own layers have it, so that germinate puts it into no pool."""
    installed = {name: fields for name, fields in INSTALLED.items() if name != missing}
    bios, uefi = found(tmp_path, noble, key, installed=installed)
    cure = "name it in packages.host, renew the lock, and build the ISO anew"
    assert bios == (
        f"grub-pc (boot loader for BIOS) cannot be installed from the medium: layers and pool lack {missing}: {cure}"
    )
    assert uefi.startswith("grub-efi-amd64 grub-efi-amd64-signed shim-signed (boot loader for UEFI) cannot be ")
    assert uefi.endswith(f" lack {missing}: {cure}")


@pytest.mark.parametrize("missing", ["grub-pc", "shim-signed"])
def test_a_boot_loader_that_the_pool_lacks_is_told(tmp_path: Path, key: Key, missing: str) -> None:
    (problem,) = found(tmp_path, stub_pool(tmp_path, "24.04", key, without=missing), key)
    assert f": layers and pool lack {missing}: " in problem


def test_part_of_a_boot_loader_in_another_version_is_told(tmp_path: Path, noble: Pool, key: Key) -> None:
    """Either of the pool's wants the rest of GRUB in exactly its own version."""
    installed = {**INSTALLED, "grub-common": {"Version": "2.14-1"}, "libfreetype6": {}}
    bios, uefi = found(tmp_path, noble, key, installed=installed)
    assert (
        ": layers and pool do not fit together by grub-common (= 2.12-1): renew the lock, and build the ISO anew"
        in bios
    )
    assert uefi.startswith("grub-efi-amd64 ")


def test_a_package_of_the_layers_that_a_boot_loader_would_remove_is_told(tmp_path: Path, noble: Pool, key: Key) -> None:
    installed = {**INSTALLED, "nvidia-driver": {"Conflicts": "shim-signed"}}
    (problem,) = found(tmp_path, noble, key, installed=installed)
    assert " would remove nvidia-driver of the layers: renew the lock, and build the ISO anew" in problem


@pytest.mark.parametrize(
    ("missing", "asked"),
    [
        ("e2fsprogs", "e2fsprogs (storage)"),
        ("cryptsetup", "cryptsetup (storage)"),
        ("lvm2", "lvm2 (storage)"),
        ("xfsprogs", "xfsprogs (storage)"),
        ("openssh-server", "openssh-server (ssh.install-server)"),
    ],
)
def test_what_the_installer_asks_for_is_told_where_it_is_missing(
    tmp_path: Path, noble: Pool, key: Key, missing: str, asked: str
) -> None:
    installed = {name: fields for name, fields in INSTALLED.items() if name != missing}
    (problem,) = found(tmp_path, noble, key, installed=installed)
    assert problem.startswith(f"{asked} cannot be installed from the medium: layers and pool lack {missing}: ")


def test_the_file_systems_of_the_document_are_asked_for(tmp_path: Path, noble: Pool, key: Key) -> None:
    storage = {"config": [{"type": "disk"}, {"type": "raid"}, {"type": "format", "fstype": "jfs"}]}
    (problem,) = found(tmp_path, noble, key, document={"storage": storage})
    assert problem.startswith("jfsutils mdadm (storage) cannot be installed from the medium: ")


@pytest.mark.parametrize(("pin", "refused"), [("version 1\nPin-Priority: 1000", 0), ("release *\nPin-Priority: -1", 1)])
def test_a_pin_may_hold_the_kernel_of_the_document_and_not_forbid_it(
    tmp_path: Path, noble: Pool, key: Key, pin: str, refused: int
) -> None:
    (tmp_path / "tree/etc/apt/preferences.d").mkdir(parents=True)
    (tmp_path / "tree/etc/apt/preferences.d/held").write_text(f"Package: {IMAGE}\nPin: {pin}\n")
    problems = found(tmp_path, noble, key, document={"kernel": {"package": IMAGE}})
    assert len(problems) == refused
    assert all(problem.startswith(f"{IMAGE} (kernel.package) cannot be installed ") for problem in problems)


def test_a_document_that_is_none_is_not_looked_at(tmp_path: Path, noble: Pool, key: Key) -> None:
    assert found(tmp_path, noble, key, document={"storage": ["lvm"], "kernel": "generic"}) == []


def test_zfs_is_asked_for_where_the_layout_is_zfs() -> None:
    asked = wishes({"storage": {"layout": {"name": "zfs"}}}, INSTALLED)
    assert ("zfs-initramfs", "zfsutils-linux") in [wish.packages for wish in asked]


def test_a_kernel_on_hold_is_told(tmp_path: Path, noble: Pool, key: Key) -> None:
    installed = {**INSTALLED, IMAGE: {**INSTALLED[IMAGE], "Status": "hold ok installed"}}
    (problem,) = found(tmp_path, noble, key, installed=installed)
    assert problem == f"{IMAGE} is on hold, and so the installer makes no initramfs for it: {PIN}"


def test_a_kernel_that_provides_no_linux_image_is_told(tmp_path: Path, noble: Pool, key: Key) -> None:
    installed = {**INSTALLED, IMAGE: {"Provides": "linux-image-generic"}}
    (problem,) = found(tmp_path, noble, key, installed=installed)
    assert problem.startswith(f"{IMAGE} does not provide linux-image, and so the installer makes no initramfs for it: ")


def test_a_package_of_the_index_that_is_not_in_the_pool_is_told(tmp_path: Path, key: Key) -> None:
    pool = stub_pool(tmp_path, "24.04", key)
    place = "pool/main/g/grub-pc-bin/grub-pc-bin_2.12-1_amd64.deb"
    (pool.tree / place).unlink()
    (problem,) = found(tmp_path, pool, key)
    assert f" needs /{place}, which is not there: take Canonical's ISO as it was released" in problem


def test_an_index_that_is_not_as_it_was_signed_is_told(tmp_path: Path, key: Key) -> None:
    pool = stub_pool(tmp_path, "24.04", key)
    index = pool.tree / f"dists/{CODENAMES['24.04']}/main/binary-amd64/Packages"
    index.write_text(index.read_text().replace("gettext-base, ", ""))
    (problem,) = found(tmp_path, pool, key)
    assert problem.startswith("apt cannot read the pool's index: ")


def test_a_medium_without_an_index_is_told(tmp_path: Path, key: Key) -> None:
    pool = stub_pool(tmp_path, "24.04", key)
    (pool.tree / "dists/noble/Release").unlink()
    assert found(tmp_path, pool, key) == ["the pool has no index in dists/: take Canonical's ISO as it was released"]
