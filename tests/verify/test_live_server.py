"""A remastered ISO, looked at without starting it: a good one has nothing wrong, and each fault is named."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from invoke.context import Context

from rigforge.autoinstall import ubuntu
from rigforge.images import iso, live_server, remaster
from rigforge.images.medium import Medium
from rigforge.layers.build import Squashfs
from rigforge.lock.model import Lock
from rigforge.records.checksums import sha256
from rigforge.records.file import LockedFile
from rigforge.stack.load import load
from rigforge.tasks.verify import verify_iso
from rigforge.verify.iso import read_medium
from rigforge.verify.live_server import GRUB, NEEDED, examine
from rigforge.verify.report import ImageTestsError, MediumReport
from tests.images.live_server_medium import boot_files, make
from tests.sources.signed_archive import Key, key
from tests.verify.stub_pool import INSTALLED, KERNEL, VERSION, lay_tree, stub_pool

__all__ = ["key"]

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE2yTkv1Pbd0SHS0iWBn3GIiRXT8YmYBWkSrzMNv4hXK me"
EPOCH = 1_780_000_000


@pytest.fixture(scope="module")
def boot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return boot_files(tmp_path_factory.mktemp("boot"))


@pytest.fixture(scope="module")
def stock(boot: Path, key: Key, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pool = stub_pool(tmp_path_factory.mktemp("pool"), "24.04", key)
    return make(tmp_path_factory.mktemp("stock"), boot, "24.04", pool)


@pytest.fixture(scope="module")
def layers(key: Key, tmp_path_factory: pytest.TempPathFactory) -> Sequence[Squashfs]:
    """Layers with empty files in the places that are looked at, and dpkg's list of packages."""
    folder, made = tmp_path_factory.mktemp("layers"), []
    lay_tree(folder / "host", INSTALLED, key)
    for layer, files in {"base": NEEDED, "host": (f"boot/vmlinuz-{KERNEL}",), "medium": ("etc/motd",)}.items():
        for file in files:
            (folder / layer / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / layer / file).touch()
        image = folder / f"{layer}.squashfs"
        subprocess.run(["mksquashfs", folder / layer, image, "-quiet", "-no-progress"], check=True)
        made.append(Squashfs(layer, image, sha256(image), 4096))
    return made


@pytest.fixture
def medium(stock: Path, boot: Path, layers: Sequence[Squashfs]) -> Medium:
    return laid_out(stock, boot, layers, "24.04")


def laid_out(stock: Path, boot: Path, layers: Sequence[Squashfs], release: str) -> Medium:
    stack = load("ubuntu-24.04", sets=[f"ssh_key={KEY}"])
    document = ubuntu.render(stack, f"linux-image-{KERNEL}", release)
    return live_server.lay_out(stack, live_server.read(stock, sha256(stock)), layers, boot, document, KERNEL, EPOCH)


def examined(stock: Path, medium: Medium, folder: Path, *, compared: bool = True) -> MediumReport:
    image = folder / "rigforge.iso"
    if not image.exists():
        remaster.write(stock, medium, "RIGFORGE", EPOCH, image)
    return examine(image, read_medium(image), stock if compared else None, folder / "out")


def test_a_good_one_has_nothing_wrong(stock: Path, medium: Medium, tmp_path: Path) -> None:
    report = examined(stock, medium, tmp_path)
    assert (report.passed, report.failed, report.skipped) == (7, 0, 0)
    assert report.summary.count("ok: ") == 7
    assert report.log.exists()


def test_the_task_prints_each_check_and_starts_nothing(
    stock: Path,
    medium: Medium,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    image = tmp_path / "rigforge.iso"
    remaster.write(stock, medium, "RIGFORGE", EPOCH, image)
    base = LockedFile("medium", "iso", "live-server", "24.04.4", "ubuntu-releases:noble/u.iso", 1, sha256(stock))
    lock = Lock("ubuntu-24.04", "", 0, {"kernel": KERNEL}, (), (base,))
    monkeypatch.setattr("rigforge.options.the_lock", lambda stack: lock)
    monkeypatch.chdir(tmp_path)
    verify_iso(Context(), iso=str(image), firmware="none", base_iso=str(stock), out="out")
    *checks, last = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in checks] == ["ok"] * 7
    assert last == "medium: 7 passed, 0 failed, 0 skipped"


def test_without_canonicals_iso_the_rest_is_looked_at(stock: Path, medium: Medium, tmp_path: Path) -> None:
    report = examined(stock, medium, tmp_path, compared=False)
    assert (report.passed, report.skipped) == (5, 2)


@pytest.mark.parametrize(
    ("place", "old", "new", "failure"),
    [
        ("autoinstall.yaml", KERNEL, "6.8.0-89-generic", "it names linux-image-6.8.0-89-generic"),
        ("autoinstall.yaml", "updates: security", "updates: none", "updates: 'none' is not one of"),
        ("casper/install-sources.yaml", "size: 8192", "size: 8193", "install-sources.yaml says 8193 bytes"),
        (
            "casper/install-sources.yaml",
            "rigforge.host.",
            "rigforge.none.",
            "/casper/rigforge.none.squashfs is missing",
        ),
        ("rigforge/medium.json", KERNEL, "6.8.0-87-generic", f"kernels are {KERNEL}, the lock has 6.8.0-87"),
    ],
)
def test_each_fault_is_named(
    stock: Path, medium: Medium, tmp_path: Path, place: str, old: str, new: str, failure: str
) -> None:
    assert old in medium.texts[place]
    texts = {**medium.texts, place: medium.texts[place].replace(old, new)}
    with pytest.raises(ImageTestsError) as caught:
        examined(stock, replace(medium, texts=texts), tmp_path)
    assert failure in " ".join(caught.value.report.failures)


def test_a_boot_loader_in_the_layers_is_told(
    stock: Path, medium: Medium, boot: Path, layers: Sequence[Squashfs], tmp_path: Path
) -> None:
    for file in (GRUB, f"boot/vmlinuz-{KERNEL}"):
        (tmp_path / "host" / file).parent.mkdir(parents=True)
        (tmp_path / "host" / file).touch()
    image = tmp_path / "grub.squashfs"
    subprocess.run(["mksquashfs", tmp_path / "host", image, "-quiet", "-no-progress"], check=True)
    base, host, top = layers
    stacked = (base, replace(host, path=image, sha256=sha256(image)), top)
    laid = laid_out(stock, boot, stacked, "24.04")
    with pytest.raises(ImageTestsError) as caught:
        examined(stock, laid, tmp_path)
    assert f"/{GRUB} is there" in " ".join(caught.value.report.failures)


def test_a_boot_loader_that_the_pool_has_not_is_told(
    stock: Path, medium: Medium, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rigforge.verify.live_server.POOL", ("grub-pc", "grub-xen"))
    with pytest.raises(ImageTestsError) as caught:
        examined(stock, medium, tmp_path)
    assert [failure.rpartition(": ")[2] for failure in caught.value.report.failures] == ["grub-xen is not in the pool"]


def test_the_key_in_canonicals_lowest_layer_is_looked_for_in_ours(
    boot: Path, layers: Sequence[Squashfs], key: Key, tmp_path: Path
) -> None:
    stock = make(tmp_path / "stock", boot, "26.04", stub_pool(tmp_path / "pool", "26.04", key))
    with pytest.raises(ImageTestsError) as caught:
        examined(stock, laid_out(stock, boot, layers, "26.04"), tmp_path)
    (failure,) = caught.value.report.failures
    assert "all that it asks for: the layers have no etc/apt/sources.list.d/cdrom.sources, and nothing else " in failure


def test_a_changed_byte_is_found_wherever_it_is(stock: Path, medium: Medium, tmp_path: Path) -> None:
    examined(stock, medium, tmp_path)
    image = tmp_path / "rigforge.iso"
    package = f"pool/main/g/grub-pc/grub-pc_{VERSION}_amd64.deb"
    ((start, _),) = iso.extents(image)[package]
    for place, failure in ((start, f"/{package} has another"), (100, "MBR is another")):
        with image.open("r+b") as content:
            content.seek(place)
            content.write(b"?")
        with pytest.raises(ImageTestsError) as caught:
            examined(stock, medium, tmp_path)
        assert failure in " ".join(caught.value.report.failures)
