"""Locks of the Ubuntu stacks, from an archive in Ubuntu's layout: kernel and driver belong together, or it is told."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.lock.model import Lock
from rigforge.lock.resolve import resolve
from rigforge.sources.keyring import fingerprints
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.load import load
from rigforge.stack.model import Stack
from tests.lock.ubuntu_archive import DRIVERS, RELEASES, Ubuntu
from tests.lock.workshop import packers_of_the_doctor
from tests.sources.conda_channel import CondaChannel
from tests.sources.serving import served
from tests.sources.signed_archive import FlatArchive, Key, key
from tests.sources.wheel_index import WheelIndex

__all__ = ["key"]

STACKS = {"jammy": "ubuntu-22.04", "noble": "ubuntu-24.04", "resolute": "ubuntu-26.04"}
EXTENDS = 'extends = "{stack}"\n[[archives]]\n'
SUITE = """\
role = "ubuntu"
suite = "{suite}"
components = ["main", "restricted", "universe", "multiverse"]
keyring = "{keyring}"
"""


class Desk:
    """A release's archive, the mirrors that serve it, and a stack file that asks for it with the test's key."""

    def __init__(self, folder: Path, key: Key, suite: str, urls: dict[str, str]) -> None:
        self.folder, self.key, self.suite = folder, key, suite
        self.mirrors = Mirrors(urls)
        self.ubuntu = Ubuntu(folder / "served/ubuntu", suite)
        self.file = folder / "rig.toml"
        self.write()
        self.ubuntu.release(self.stack)
        self.release_medium()

    @property
    def stack(self) -> Stack:
        return load(self.file)

    @property
    def branch(self) -> str:
        return self.stack.driver.version

    def write(self, *, archives: str = "", more: str = "", components: str = "") -> None:
        """Writes the stack: the one of this release, its three pockets signed with the test's key, and `more`."""
        pockets = [f"{self.suite}{pocket}" for pocket in ("", "-updates", "-security")]
        text = "\n[[archives]]\n".join(SUITE.format(suite=pocket, keyring=self.key.keyring) for pocket in pockets)
        text = text.replace('["main", "restricted", "universe", "multiverse"]', components) if components else text
        self.file.write_text(EXTENDS.format(stack=STACKS[self.suite]) + text + archives + more)

    def release_medium(self, version: str = "", content: str = "the medium", *, key: Key | None = None) -> Path:
        """Puts a live-server ISO beside those that are there, and signs the list of them anew."""
        folder = self.folder / "served/ubuntu-releases" / self.suite
        folder.mkdir(parents=True, exist_ok=True)
        medium = folder / f"ubuntu-{version or self.ubuntu.number}-live-server-amd64.iso"
        medium.write_text(content)
        (folder / "ubuntu-24.04.9-desktop-amd64.iso").write_text("another")
        sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()} *{file.name}\n" for file in folder.glob("*.iso")]
        (folder / "SHA256SUMS").write_text("".join(sorted(sums)))
        (key or self.key).sign_list(folder / "SHA256SUMS")
        return medium

    def lock(self) -> Lock:
        self.ubuntu.publish(self.key)
        return resolve(self.stack, self.mirrors)


@pytest.fixture
def desk(tmp_path: Path, key: Key, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Desk]]:
    monkeypatch.setenv("RIGFORGE_HOME", str(tmp_path / "home"))
    index = WheelIndex(tmp_path / "served/pypi")
    for torch, cuda, cudnn in (("2.14.1", "13.0.96", "9.24.0.43"), ("2.15.0", "13.2.86", "9.26.0.51")):
        pins = [f"nvidia-cuda-runtime=={cuda}", f"nvidia-cudnn-cu13=={cudnn}"]
        index.add("torch", torch, requires=pins)
        index.add("nvidia-cuda-runtime", cuda)
        index.add("nvidia-cudnn-cu13", cudnn)
        for part in ("nvcc", "cccl", "crt"):
            index.add(f"nvidia-cuda-{part}", cuda)
        index.add("nvidia-nvvm", cuda)
    for name in load("ubuntu-24.04").python.packages:
        index.add(name, "1.0")
    packers_of_the_doctor(index)
    channel = CondaChannel(tmp_path / "served/conda-forge")
    channel.add_python("3.12.11")
    channel.add("conda", "26.1.0", depends=["python"])
    channel.add("mamba", "2.3.0")
    channel.publish()
    with served(tmp_path / "served") as url:
        roles = ("ubuntu", "ubuntu-releases", "ubuntu-snapshot", "nvidia-container-toolkit", "conda-forge")
        urls = {**{role: f"{url}/{role}" for role in roles}, "pypi": f"{url}/pypi/simple"}
        yield lambda suite: Desk(tmp_path, key, suite, urls)


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
    here.ubuntu.kernel(88)
    here.ubuntu.driver("580-server")
    here.ubuntu.modules("580-server-open", 88)
    host = {file.name for file in here.lock().part("host")}
    assert host >= {"gettext-base", "libefivar1", "libfreetype6", "libfuse3-3", "libpng16-16", "mokutil"}
    assert host >= {"btrfs-progs", "e2fsprogs", "xfsprogs"}
    assert not [name for name in host if name.startswith(("grub", "shim"))]


def test_the_medium_is_the_one_of_the_latest_point_release(desk: Callable[[str], Desk]) -> None:
    here = desk("noble")
    here.ubuntu.kernel(88)
    here.ubuntu.driver("580-server")
    here.ubuntu.modules("580-server-open", 88)
    for version in ("24.04.10", "24.04.4", "24.04"):
        here.release_medium(version, f"the medium {version}")
    (medium,) = here.lock().part("medium")
    assert (medium.kind, medium.version) == ("iso", "24.04.10")
    assert medium.file == "ubuntu-releases:noble/ubuntu-24.04.10-live-server-amd64.iso"
    assert (medium.size, medium.sha256) == (19, hashlib.sha256(b"the medium 24.04.10").hexdigest())


def test_a_list_of_media_that_somebody_else_signed_is_refused(desk: Callable[[str], Desk]) -> None:
    here, stranger = desk("noble"), Key()
    here.ubuntu.kernel(88)
    here.ubuntu.driver("580-server")
    here.ubuntu.modules("580-server-open", 88)
    here.release_medium(key=stranger)
    stranger.close()
    with pytest.raises(RigforgeError, match="SHA256SUMS is not signed with a key of"):
        here.lock()


def test_a_kernel_without_modules_yet_waits_for_them(desk: Callable[[str], Desk]) -> None:
    """The metapackage of the kernel is newer than that of the modules, and the older one is still there."""
    here = desk("noble")
    here.ubuntu.driver("580-server")
    for abi in (88, 90):
        here.ubuntu.kernel(abi)
    here.ubuntu.modules("580-server-open", 88)
    lock = here.lock()
    assert lock.versions["kernel"] == "6.8.0-88-generic"
    assert lock.versions["kernel_package_version"] == "6.8.0-88.89"


def test_a_kernel_of_which_the_metapackage_is_gone_is_told_with_a_cure(desk: Callable[[str], Desk]) -> None:
    here = desk("noble")
    here.ubuntu.driver("580-server")
    for abi in (88, 90):
        here.ubuntu.kernel(abi)
    here.ubuntu.modules("580-server-open", 88)
    for deb in here.ubuntu.archive.path.rglob("linux-image-generic_6.8.0-88*"):
        deb.unlink()
    with pytest.raises(
        RigforgeError, match=r"has modules for kernel 6\.8\.0-88-generic, but of linux-image-generic"
    ) as caught:
        here.lock()
    assert "6.8.0-90.91" in caught.value.message
    assert "snapshot" in caught.value.hint


def test_a_newer_driver_in_the_security_pocket_is_taken_with_its_modules(desk: Callable[[str], Desk]) -> None:
    here = desk("noble")
    here.ubuntu.kernel(88)
    here.ubuntu.driver("580-server", version="580.95.05")
    here.ubuntu.modules("580-server-open", 88, version="580.95.05")
    here.ubuntu.kernel(89, "security")
    here.ubuntu.driver("580-server", pocket="security")
    here.ubuntu.modules("580-server-open", 89, pocket="security")
    lock = here.lock()
    assert (lock.versions["driver"], lock.versions["kernel"]) == ("580.178.04", "6.8.0-89-generic")
    assert any(file.file.startswith("ubuntu:pool/noble-security/restricted/") for file in lock.files)


def test_modules_of_another_driver_version_than_the_libraries_are_refused(desk: Callable[[str], Desk]) -> None:
    here = desk("noble")
    here.ubuntu.kernel(88)
    here.ubuntu.driver("580-server", version="580.178.04")
    here.ubuntu.modules("580-server-open", 88, version="580.95.05")
    with pytest.raises(RigforgeError) as caught:
        here.lock()
    assert "nvidia-kernel-common-580-server (<= 580.95.05-1)" in caught.value.message
    assert "580.178.04" in caught.value.message


def test_a_branch_that_has_become_another_is_told_by_its_new_name(desk: Callable[[str], Desk]) -> None:
    """Ubuntu keeps the packages of an ended branch as transitional ones."""
    here = desk("noble")
    here.write(more='\n[driver]\nversion = "565-server-open"\n')
    here.ubuntu.kernel(88)
    here.ubuntu.driver("580-server")
    here.ubuntu.modules("580-server-open", 88)
    here.ubuntu.ended("565-server-open", "580-server-open")
    with pytest.raises(RigforgeError, match="has become a package of branch 580-server-open"):
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
    here.ubuntu.kernel(88)
    here.ubuntu.driver("580-server")
    here.ubuntu.modules("580-server-open", 88)
    with pytest.raises(RigforgeError, match=r"the open kernel module drives compute capability 7\.5 and later"):
        here.lock()


def test_a_missing_component_is_told(desk: Callable[[str], Desk]) -> None:
    here = desk("noble")
    here.ubuntu.kernel(88)
    here.ubuntu.driver("580-server")
    here.ubuntu.modules("580-server-open", 88)
    here.write(components='["main", "universe"]')
    with pytest.raises(RigforgeError, match="linux-modules-nvidia-580-server-open-generic"):
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
    here.ubuntu.kernel(88)
    here.ubuntu.driver("580-server")
    here.ubuntu.modules("580-server-open", 88)
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
    here.ubuntu.kernel(88)
    here.ubuntu.driver("580-server")
    here.ubuntu.modules("580-server-open", 88)
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
    here.ubuntu.kernel(88)
    here.ubuntu.driver("580-server")
    here.ubuntu.modules("580-server-open", 88)
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
