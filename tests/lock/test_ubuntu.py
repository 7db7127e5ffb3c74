"""Locks of the Ubuntu stacks, from an archive in Ubuntu's layout; `test_prebuilt` has kernel and driver."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from rigforge.errors import RigforgeError
from rigforge.lock.resolve import resolve
from rigforge.sources.keyring import fingerprints
from tests.lock.ubuntu_archive import DRIVERS, RELEASES
from tests.lock.ubuntu_desk import STACKS, Desk, desk
from tests.sources.signed_archive import FlatArchive, Key, key

__all__ = ["desk", "key"]


@pytest.mark.parametrize("suite", STACKS)
def test_a_full_lock_of_each_release(desk: Callable[[str], Desk], suite: str) -> None:
    here = desk(suite)
    here.ubuntu.kernel(88)
    here.ubuntu.driver(here.branch.removesuffix("-open"))
    here.ubuntu.modules(here.branch, 88)
    lock = here.lock()
    number = here.branch.partition("-")[0]
    assert lock.versions["driver"] == DRIVERS[number]
    assert lock.versions["kernel"] == f"{RELEASES[suite][3]}-88-generic"
    assert lock.versions["python"] == "3.12.11"
    assert {file.name for file in lock.files if file.kind == "conda"} == {"conda", "mamba", "python"}
    assert lock.decision and lock.decision.verdict == "native"
    host = {file.name: file for file in lock.part("host")}
    modules = host[f"linux-modules-nvidia-{here.branch}-{RELEASES[suite][3]}-88-generic"]
    assert modules.file.startswith(f"ubuntu:pool/{suite}-updates/restricted/")
    assert not lock.part("module")
    packers = {file.name for file in lock.part("doctor")}
    assert {"binutils", f"libpython{RELEASES[suite][2][:4]}", "pyinstaller", "pydantic"} < packers
    assert ("tomli" in packers) == (suite == "jammy")
    assert {archive.suite for archive in lock.archives} == {suite, f"{suite}-updates", f"{suite}-security"}


def test_the_layers_have_what_the_pools_boot_loaders_depend_on_and_no_boot_loader(desk: Callable[[str], Desk]) -> None:
    here = desk("noble")
    here.ubuntu.together()
    host = {file.name for file in here.lock().part("host")}
    assert host >= {"gettext-base", "libefivar1", "libfreetype6", "libfuse3-3", "libpng16-16", "mokutil"}
    assert host >= {"btrfs-progs", "e2fsprogs", "xfsprogs"}
    assert not [name for name in host if name.startswith(("grub", "shim"))]


def test_the_medium_is_the_one_of_the_latest_point_release(desk: Callable[[str], Desk]) -> None:
    here = desk("noble")
    here.ubuntu.together()
    for version in ("24.04.10", "24.04.4", "24.04"):
        here.release_medium(version, f"the medium {version}")
    (medium,) = here.lock().part("medium")
    assert (medium.kind, medium.version) == ("iso", "24.04.10")
    assert medium.file == "ubuntu-releases:noble/ubuntu-24.04.10-live-server-amd64.iso"
    assert (medium.size, medium.sha256) == (19, hashlib.sha256(b"the medium 24.04.10").hexdigest())


def test_a_list_of_media_that_somebody_else_signed_is_refused(desk: Callable[[str], Desk]) -> None:
    here, stranger = desk("noble"), Key()
    here.ubuntu.together()
    here.release_medium(key=stranger)
    stranger.close()
    with pytest.raises(RigforgeError, match="SHA256SUMS is not signed with a key of"):
        here.lock()


def test_the_proprietary_module_for_older_cards(desk: Callable[[str], Desk]) -> None:
    here = desk("noble")
    here.write(more='\n[gpu]\nmodels = ["RTX 3090"]\n[driver]\nversion = "580-server"\n')
    here.ubuntu.kernel(88)
    here.ubuntu.driver("580-server")
    here.ubuntu.modules("580-server", 88)
    lock = here.lock()
    assert lock.decision and any(reason.startswith("kernel module proprietary") for reason in lock.decision.reasons)


def test_cards_that_the_open_module_does_not_drive_are_refused(desk: Callable[[str], Desk]) -> None:
    here = desk("noble")
    here.write(more='\n[gpu]\nmodels = ["GTX 1080 Ti"]\n')
    here.ubuntu.together()
    with pytest.raises(RigforgeError, match=r"the open kernel module drives compute capability 7\.5 and later"):
        here.lock()


def test_an_exact_version_is_no_branch_of_ubuntus(desk: Callable[[str], Desk]) -> None:
    here = desk("noble")
    here.write(more='\n[driver]\nversion = "580.178.04"\n')
    with pytest.raises(RigforgeError, match=r"\[driver\] version = '580.178.04' is no branch") as caught:
        here.lock()
    assert "580-server-open" in caught.value.hint


TOOLKIT = """
[[archives]]
role = "nvidia-container-toolkit"
suite = "/"
keyring = "{keyring}"
fingerprint = "{fingerprint}"
"""


def test_the_container_toolkit_is_four_packages_of_one_version(desk: Callable[[str], Desk]) -> None:
    here = desk("noble")
    here.ubuntu.together()
    flat = _toolkit(here)
    fingerprint = fingerprints(here.key.keyring)[0]
    archives = TOOLKIT.format(keyring=here.key.keyring, fingerprint=fingerprint)
    here.write(archives=archives, more='\n[container_toolkit]\nversion = "1.19.1"\n')
    lock = here.lock()
    found = {file.version for file in lock.files if file.file.startswith("nvidia-container-toolkit:")}
    assert found == {"1.19.1-1"}
    (deb,) = [file for file in lock.files if file.name == "nvidia-container-toolkit-base"]
    assert (flat.path / deb.basename).stat().st_size == deb.size


def test_a_toolkit_version_that_there_is_not(desk: Callable[[str], Desk]) -> None:
    here = desk("noble")
    here.ubuntu.together()
    _toolkit(here)
    archives = TOOLKIT.format(keyring=here.key.keyring, fingerprint=fingerprints(here.key.keyring)[0])
    here.write(archives=archives, more='\n[container_toolkit]\nversion = "9.9.9"\n')
    with pytest.raises(RigforgeError, match=r"'9\.9\.9-1'"):
        here.lock()


def test_a_keyring_with_another_key_is_refused_with_both_fingerprints(desk: Callable[[str], Desk]) -> None:
    here = desk("noble")
    _toolkit(here)
    here.write(archives=TOOLKIT.format(keyring=here.key.keyring, fingerprint="AB" * 20))
    with pytest.raises(RigforgeError) as caught:
        here.lock()
    assert fingerprints(here.key.keyring)[0] in caught.value.message
    assert "AB" * 20 in caught.value.message


def test_a_fingerprint_may_have_spaces_and_has_40_digits(desk: Callable[[str], Desk]) -> None:
    here = desk("noble")
    spaced = "eb69 3b30 35cd 5710 e231  e123 a4b4 6996 3bf8 63cc"
    here.write(archives=TOOLKIT.format(keyring=here.key.keyring, fingerprint=spaced))
    assert here.stack.archives[-1].fingerprint == "EB693B3035CD5710E231E123A4B469963BF863CC"
    here.write(archives=TOOLKIT.format(keyring=here.key.keyring, fingerprint="A4B46996"))
    with pytest.raises(RigforgeError, match="40 hex digits"):
        _ = here.stack


def test_a_snapshot_is_locked_by_its_time_and_fetched_from_there(desk: Callable[[str], Desk]) -> None:
    here = desk("noble")
    here.ubuntu.together()
    here.file.write_text(
        here.file.read_text().replace('role = "ubuntu"\n', 'role = "ubuntu"\nsnapshot = "20261101T000000Z"\n')
    )
    here.ubuntu.publish(here.key)
    place = here.folder / "served/ubuntu-snapshot"
    place.mkdir()
    here.ubuntu.archive.path.rename(place / "20261101T000000Z")
    lock = resolve(here.stack, here.mirrors)
    debs = [file for file in lock.files if file.kind == "deb"]
    assert all(file.file.startswith("ubuntu-snapshot:20261101T000000Z/pool/noble") for file in debs)
    assert all((place / file.file.partition(":")[2]).stat().st_size == file.size for file in debs)
    assert {archive.role for archive in lock.archives} == {"ubuntu-snapshot"}


def test_a_malformed_time_of_a_snapshot_is_refused(desk: Callable[[str], Desk]) -> None:
    here = desk("noble")
    here.file.write_text(
        here.file.read_text().replace('role = "ubuntu"\n', 'role = "ubuntu"\nsnapshot = "yesterday"\n')
    )
    with pytest.raises(RigforgeError, match="20261101T000000Z"):
        _ = here.stack


def test_a_flat_archive_has_no_components_and_a_suite_has_some(desk: Callable[[str], Desk]) -> None:
    here = desk("noble")
    toolkit = TOOLKIT.format(keyring=here.key.keyring, fingerprint="AB" * 20)
    here.write(archives=toolkit.replace('suite = "/"', 'suite = "/"\ncomponents = ["main"]'))
    with pytest.raises(RigforgeError, match="has no components"):
        _ = here.stack
    here.write(components="[]")
    with pytest.raises(RigforgeError, match="at least one"):
        _ = here.stack


def _toolkit(here: Desk) -> FlatArchive:
    """NVIDIA's container toolkit in two versions, as its repository has it."""
    flat = FlatArchive(here.folder / "served/nvidia-container-toolkit")
    for version in ("1.19.1-1", "1.20.0-1"):
        flat.add("libnvidia-container1", version)
        flat.add("libnvidia-container-tools", version, Depends=f"libnvidia-container1 (>= {version})")
        flat.add("nvidia-container-toolkit-base", version)
        depends = f"nvidia-container-toolkit-base (= {version}), libnvidia-container-tools (>= {version})"
        flat.add("nvidia-container-toolkit", version, Depends=depends)
    flat.publish(here.key)
    return flat
