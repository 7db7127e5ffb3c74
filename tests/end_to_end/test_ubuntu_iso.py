"""An Ubuntu stack from its archive to its ISO, and that ISO started (6 minutes without KVM).

The archive is a stand-in: Debian's packages under Ubuntu's suite, signed with a key of the test; so is the medium, with
a pool of the packages that Canonical's own layers lack.
"""

from __future__ import annotations

import filecmp
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from debian.deb822 import Deb822

from rigforge.images.oci import read_index
from rigforge.lock.model import read
from rigforge.machine import pins
from rigforge.records.checksums import sha256, to_text
from rigforge.stack.load import load
from rigforge.stack.model import Stack
from tests.end_to_end.chain import OUT, make, rigforge, usable
from tests.end_to_end.test_live_server import ENTER, boot, told
from tests.end_to_end.ubuntu_archive import DRIVER, USER_SPACE, Debian, debian, fill
from tests.images import live_server_medium
from tests.images.live_server_pool import CODENAMES, lay
from tests.lock.ubuntu_archive import POCKETS
from tests.sources.serving import served
from tests.sources.signed_archive import Key, SignedArchive, key

__all__ = ["boot", "key"]

pytestmark = pytest.mark.boot

ARCHIVE = """\
[[archives]]
role = "ubuntu"
suite = "{suite}"
components = ["main"]
keyring = "{keyring}"
"""

STACK = """\
description = "Stand-in for Ubuntu: Debian's packages, and a driver of empty ones"

[system]
distribution = "ubuntu"
suite = "{suite}"

{archives}
[kernel]
package = "linux-image-generic"

[driver]
provider = "apt"
version = "580-server-open"

[packages]
base = {base}
host = {host}

[services]
enable = {enable}

[medium]
volume_id = "RIGFORGE_UBUNTU"
countdown = 2
zstd_level = 3
"""


@dataclass(frozen=True)
class Rig:
    """The stack's file, the stock medium, and the options that every task gets."""

    stack: Path
    stock: Path
    site: tuple[str, ...]

    def build(self, out: Path, *more: str | Path) -> Path:
        printed = rigforge("build-iso", "--stack", self.stack, *self.site, "--out", out, *more)
        return Path(printed.removeprefix("iso: ").rstrip("\n"))

    def look_at(self, image: Path) -> None:
        """Fails with what an installation from the image would lack."""
        compared = ("--base-iso", self.stock, "--out", image.parent / "looked-at")
        rigforge("verify-iso", "--stack", self.stack, *self.site, "--iso", image, "--firmware", "none", *compared)

    def changed(self, name: str, text: str) -> Rig:
        """Locks a stack of another name, with other values."""
        stack = self.stack.with_name(f"{name}.toml")
        stack.write_text(f'extends = "{self.stack.stem}"\n{text}')
        rigforge("lock", "--stack", stack)
        return replace(self, stack=stack)


@dataclass(frozen=True)
class Workshop:
    """Where archive, medium and stack of each release are made: of Debian's packages, in a folder that is served."""

    folder: Path
    boot: Path
    key: Key
    smoke: Stack
    debian: Debian
    site: tuple[str, ...]

    def rig(self, release: str, of_pool: Key) -> Rig:
        """Makes and locks a release's stack; its medium's pool is signed with the key `of_pool`."""
        suite = CODENAMES[release]
        fill(SignedArchive(self.folder / "served/ubuntu"), release, self.debian, self.key)
        pool = lay(self.folder / f"pool-{suite}", release, self.debian.pool, of_pool, live_server_medium.TIME)
        stock = live_server_medium.make(self.folder / suite, self.boot, release, pool)
        releases = self.folder / "served/ubuntu-releases" / suite
        releases.mkdir(parents=True)
        (releases / stock.name).symlink_to(stock)
        (releases / "SHA256SUMS").write_text(to_text({stock.name: sha256(stock)}))
        self.key.sign_list(releases / "SHA256SUMS")
        values = {"base": self.smoke.packages.base, "host": self.smoke.packages.host}
        values |= {"enable": self.smoke.services.enable}
        texts = {name: json.dumps(list(value)) for name, value in values.items()}
        pockets = (ARCHIVE.format(suite=f"{suite}{pocket}", keyring=self.key.keyring) for pocket in POCKETS)
        stack = self.folder / f"ubuntu-stand-in-{suite}.toml"
        stack.write_text(STACK.format(suite=suite, archives="\n".join(pockets), **texts))
        rigforge("lock", "--stack", stack)
        return Rig(stack, stock, self.site)


@pytest.fixture(scope="module")
def workshop(boot: Path, key: Key, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    folder = tmp_path_factory.mktemp("ubuntu")
    smoke = load(usable("smoke", folder))
    packages = debian(smoke, read(smoke.lock_path), folder)
    config = folder / "config"
    (config / "rigforge").mkdir(parents=True)
    public = make("smoke", tmp_path_factory.mktemp("key")).site
    with served(folder / "served") as url, pytest.MonkeyPatch.context() as patch:
        mirrors = "".join(f'{role} = "{url}/{role}"\n' for role in ("ubuntu", "ubuntu-releases"))
        (config / "rigforge/config.toml").write_text(f"[mirrors]\n{mirrors}")
        patch.setenv("XDG_CONFIG_HOME", str(config))
        yield Workshop(folder, boot, key, smoke, packages, public)


@pytest.fixture(scope="module")
def rig(workshop: Workshop) -> Rig:
    """24.04: the pool is signed with a key that ubuntu-keyring brings."""
    return workshop.rig("24.04", workshop.key)


@pytest.fixture(scope="module")
def image(rig: Rig) -> Path:
    return rig.build(OUT / "ubuntu")


@pytest.fixture(scope="module")
def later(workshop: Workshop) -> Iterator[Rig]:
    """26.04: the pool is signed with a key that only the medium has."""
    one_time = Key()
    yield workshop.rig("26.04", one_time)
    one_time.close()


@pytest.fixture(scope="module")
def host(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The squashfs with kernel, driver and what is set up for a machine."""
    layer = tmp_path_factory.mktemp("host") / "host.squashfs"
    place = "/casper/rigforge.host.squashfs"
    subprocess.run(["xorriso", "-osirrox", "on", "-indev", image, "-extract", place, layer], check=True)
    return layer


def content(layer: Path, file: str) -> str:
    return subprocess.run(["unsquashfs", "-cat", layer, file], stdout=subprocess.PIPE, text=True, check=True).stdout


def test_the_iso_starts_and_its_layers_are_the_stacks(rig: Rig, image: Path, tmp_path: Path) -> None:
    text = told(image, "bios", tmp_path, ENTER)
    kernel = read(rig.stack.with_suffix(".lock")).versions["kernel"]
    assert "started with BOOT_IMAGE=/casper/vmlinuz autoinstall " in text
    assert f"layers hold ubuntu with kernel {kernel}" in text


def test_the_installer_gets_all_that_it_asks_for_from_layers_and_pool(rig: Rig, image: Path) -> None:
    rig.look_at(image)


@pytest.mark.parametrize("source", ["fsimage-layered", pytest.param("fsimage", marks=pytest.mark.full)])
def test_26_04_s_installer_does_as_well_by_the_key_of_the_medium(source: str, later: Rig, tmp_path: Path) -> None:
    later.look_at(later.changed(f"later-{source}", f'[medium]\nsource = "{source}"\n').build(tmp_path))


def test_the_layers_name_their_archives_for_the_installer_to_fill_in(host: Path) -> None:
    assert content(host, "etc/apt/sources.list").startswith("deb $MIRROR noble ")


def test_kernel_modules_and_user_space_are_of_one_lock_and_held_together(rig: Rig, host: Path) -> None:
    lock = read(rig.stack.with_suffix(".lock"))
    assert lock.versions["driver"] == DRIVER
    status = content(host, "var/lib/dpkg/status")
    # The installer makes an initramfs of no kernel in another state.
    assert {stanza["Status"] for stanza in Deb822.iter_paragraphs(status)} == {"install ok installed"}
    held = {stanza["Package"] for stanza in Deb822.iter_paragraphs(content(host, pins.FILE))}
    kernel = lock.versions["kernel"]
    assert held >= {*USER_SPACE, f"linux-image-{kernel}", f"linux-modules-nvidia-580-server-open-{kernel}"}
    assert held >= {"linux-image-generic", "linux-modules-nvidia-580-server-open-generic"}


def test_the_document_is_accepted_and_names_the_kernel_of_the_layers(rig: Rig, image: Path, tmp_path: Path) -> None:
    document, sources = tmp_path / "autoinstall.yaml", tmp_path / "install-sources.yaml"
    for place, file in (("/autoinstall.yaml", document), ("/casper/install-sources.yaml", sources)):
        subprocess.run(["xorriso", "-osirrox", "on", "-indev", image, "-extract", place, file], check=True)
    printed = rigforge("validate", document, "--release", "24.04", "--sources", sources, "--json")
    levels = {finding["level"] for finding in json.loads(printed)["findings"]}
    assert "error" not in levels
    kernel = read(rig.stack.with_suffix(".lock")).versions["kernel"]
    assert f'package: "linux-image-{kernel}"' in document.read_text()


@pytest.mark.full
def test_one_file_of_all_layers_starts_as_well(rig: Rig, tmp_path: Path) -> None:
    image = rig.changed("one-file", '[medium]\nsource = "fsimage"\n').build(tmp_path)
    named = ["-name", "rigforge*.squashfs"]
    listed = subprocess.check_output(["xorriso", "-indev", image, "-find", "/casper", *named], text=True)
    assert sorted(listed.split()) == ["'/casper/rigforge.medium.squashfs'", "'/casper/rigforge.squashfs'"]
    text = told(image, "bios", tmp_path, ENTER)
    kernel = read(rig.stack.with_suffix(".lock")).versions["kernel"]
    assert f"layers hold ubuntu with kernel {kernel}" in text
    rig.look_at(image)


def test_the_container_image_has_the_base_s_packages_and_no_others(rig: Rig, tmp_path: Path) -> None:
    label, _, digest, layout = rigforge("build-images", "--stack", rig.stack, "--out", tmp_path).split()
    assert label == "image:"
    assert [entry["digest"] for entry in read_index(Path(layout))] == [digest]
    (listed,) = tmp_path.glob("*.cdx.json")
    components = json.loads(listed.read_text())["components"]
    found = {part["name"] for part in components if part["purl"].startswith("pkg:deb/")}
    assert found == {file.name for file in read(rig.stack.with_suffix(".lock")).part("base")}


def test_an_iso_of_the_users_own_gives_the_same_bytes_without_a_network(rig: Rig, image: Path, tmp_path: Path) -> None:
    again = rig.build(tmp_path, "--offline", "--base-iso", rig.stock)
    assert filecmp.cmp(image, again, shallow=False)


def test_another_iso_is_refused_with_both_checksums_and_its_release(rig: Rig, boot: Path, tmp_path: Path) -> None:
    other = live_server_medium.make(tmp_path, boot, "22.04")
    command = ["build-iso", "--stack", rig.stack, *rig.site, "--base-iso", other, "--out", tmp_path / "out"]
    done = subprocess.run(
        [sys.executable, "-m", "rigforge.cli", *map(str, command)], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 1
    assert "Ubuntu-Server 22.04 LTS" in done.stderr
    assert sha256(other) in done.stderr
    assert sha256(rig.stock) in done.stderr
    assert not (tmp_path / "out").exists()
