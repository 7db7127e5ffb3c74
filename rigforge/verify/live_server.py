"""Looks at an ISO made from Canonical's without starting it: is all there that its installer needs, and is it right?"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from rigforge import console
from rigforge.autoinstall.ubuntu import SOURCE, asked, findings
from rigforge.distributions.ubuntu import POOL_LOADERS
from rigforge.errors import RigforgeError
from rigforge.images import iso, live_server
from rigforge.layers.recipes.pool import FILE as POOL_SOURCE
from rigforge.process import run
from rigforge.verify import layers, pool
from rigforge.verify.report import ImageTestsError, MediumReport

#: Files of Canonical's medium in whose place there are ours.
REPLACED = {"boot/grub/grub.cfg", "casper/install-sources.yaml"}

#: What the layers have to hold for an installation without a network, and for a live session.
NEEDED = (
    "etc/apt/sources.list",
    "usr/bin/cloud-init",
    "usr/bin/setupcon",
    "usr/sbin/sshd",
    "usr/bin/efibootmgr",
    "usr/sbin/lvm",
    "usr/sbin/cryptsetup",
    "usr/share/initramfs-tools/scripts/casper",
)

#: What the installer takes from the medium's pool, whatever the firmware.
POOL = tuple(sorted(chain.from_iterable(POOL_LOADERS)))
GRUB = "usr/sbin/grub-install"

#: Canonical's own lowest layer.
CANONICALS_LOWEST = "ubuntu-server-minimal.squashfs"

#: Where merged and unmerged releases have the same program.
_FOLDERS = re.compile(r"^(usr/)?s?bin/")


@dataclass(frozen=True)
class _Medium:
    """The ISO, what it says of itself (rigforge/medium.json), where its files begin and end, and Canonical's ISO."""

    image: Path
    about: Mapping[str, Any]
    extents: Mapping[str, list[tuple[int, int]]]
    server: live_server.LiveServer
    stock: Path | None

    @cached_property
    def tree(self) -> layers.Tree:
        """What is seen of the layers, those of them that are there. Raises RigforgeError where one cannot be read."""
        places = [f"casper/{name}" for name in live_server.mounted(_default_source(self)["path"])]
        starts = {f"/{place}": self.extents[place][0][0] for place in places if place in self.extents}
        return layers.read(self.image, starts)


def examine(image: Path, about: Mapping[str, Any], stock: Path | None, out: Path) -> MediumReport:
    """Makes all checks and returns what they found; the same is in a file in the folder `out`.

    `stock` is Canonical's ISO; without it what is the same as there is not looked at. Raises ImageTestsError (with the
    report) where one of them failed.
    """
    medium = _Medium(image, about, iso.extents(image), live_server.read(image, ""), stock)
    checks: dict[str, Callable[[_Medium], Iterator[str]]] = {
        "every file has the checksum of md5sum.txt": _checksums,
        "layers are complete, in order, and of the size that is told": _layers,
        "the document is accepted, and names the kernel of the layers": _document,
        "layers hold one kernel, and what an installation without a network needs": _content,
        "the installer finds in layers and pool all that it asks for": _pool,
    }
    if stock:
        checks |= {
            "boot set-up is Canonical's, byte for byte": _boot,
            "Canonical's other files are as they were": _unchanged,
        }
    else:
        console.warn("not compared with Canonical's ISO, which is not there: name it with --base-iso")
    verdicts = {}
    with console.step(f"look at {image.name}"):
        for title, check in checks.items():
            verdicts[title] = list(check(medium))
    failures = tuple(f"{title}: {problem}" for title, problems in verdicts.items() for problem in problems)
    passed = sum(not problems for problems in verdicts.values())
    out.mkdir(parents=True, exist_ok=True)
    log = out / f"{about['stack']}-medium.json"
    log.write_text(json.dumps(verdicts, indent=2) + "\n")
    failed = len(verdicts) - passed
    report = MediumReport(about["stack"], image.name, tuple(verdicts), passed, failed, failures, 0 if stock else 2, log)
    if failed:
        raise ImageTestsError(report)
    return report


def _checksums(medium: _Medium) -> Iterator[str]:
    sums = medium.server.md5sums
    for place, md5 in sums.items():
        if place not in medium.extents:
            yield f"/{place} is missing"
        elif _md5(medium.image, medium.extents[place]) != md5:
            yield f"/{place} has another"
    for place in medium.extents.keys() - sums.keys() - {"md5sum.txt", "boot.catalog", "boot/boot.cat"}:
        if not place.endswith("eltorito.img"):
            yield f"/{place} is not listed"


def _layers(medium: _Medium) -> Iterator[str]:
    source = _default_source(medium)
    if source["type"] not in ("fsimage", "fsimage-layered") or source["id"] != SOURCE:
        yield f"the default source is {source['id']}, of type {source['type']}"
    if source["size"] != medium.about["rootfs_bytes"]:
        yield f"install-sources.yaml says {source['size']} bytes, medium.json {medium.about['rootfs_bytes']}"
    for name in live_server.mounted(source["path"]):
        if f"casper/{name}" not in medium.extents:
            yield f"/casper/{name} is missing"


def _document(medium: _Medium) -> Iterator[str]:
    text = _text(medium, "autoinstall.yaml")
    release = asked(medium.server.release)
    source_ids = {str(source["id"]) for source in live_server.listed(medium.server.sources)}
    yield from (f"{item.key}: {item.message}" for item in findings(text, release, source_ids) if item.level == "error")
    package = (yaml.safe_load(text).get("kernel") or {}).get("package")
    if package != f"linux-image-{medium.about['kernel']}":
        yield f"it names {package}, and the layers have {medium.about['kernel']}"


def _content(medium: _Medium) -> Iterator[str]:
    try:
        files = medium.tree.files
    except RigforgeError as error:
        yield error.message
        return
    kernels = sorted(file.removeprefix("boot/vmlinuz-") for file in files if file.startswith("boot/vmlinuz-"))
    if kernels != [medium.about["kernel"]]:
        yield f"kernels are {', '.join(kernels) or 'not there'}, the lock has {medium.about['kernel']}"
    programs = {_FOLDERS.sub("bin/", file) for file in files}
    yield from (f"/{file} is missing" for file in NEEDED if _FOLDERS.sub("bin/", file) not in programs)
    if _FOLDERS.sub("bin/", GRUB) in programs:
        yield f"/{GRUB} is there, of a version that the pool's boot loaders need not fit"
    pool = {Path(place).name.partition("_")[0] for place in medium.extents if place.startswith("pool/")}
    yield from (f"{name} is not in the pool" for name in POOL if name not in pool)
    if "cdrom" in medium.tree.directories:
        yield "/cdrom is there, which the installer makes itself"


def _pool(medium: _Medium) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="rigforge-") as folder:
        tree, copy = Path(folder) / "tree", Path(folder) / "medium"
        try:
            medium.tree.extract(lambda path: path.startswith(pool.OF_LAYERS), tree)
        except RigforgeError:
            return  # The check before has told it.
        for file in medium.extents:
            if file.startswith("dists/"):
                (copy / file).parent.mkdir(parents=True, exist_ok=True)
                (copy / file).write_bytes(_bytes(medium, file))
        lowest = medium.extents.get(f"casper/{CANONICALS_LOWEST}")
        yield from pool.problems(
            tree,
            pool.MediumPackages(
                copy,
                medium.extents.keys(),
                medium.server.release,
                iso.text_in_squashfs(medium.image, lowest[0][0], POOL_SOURCE) if lowest else None,
            ),
            f"linux-image-{medium.about['kernel']}",
            yaml.safe_load(_text(medium, "autoinstall.yaml")),
        )


def _boot(medium: _Medium) -> Iterator[str]:
    assert medium.stock
    if _described(medium.image) != _described(medium.stock):
        yield "xorriso's -report_system_area and -report_el_torito say another thing of it"
    images, stock_images = boot_images(medium.image), boot_images(medium.stock)
    yield from (f"{name} is another" for name in stock_images if images.get(name) != stock_images[name])


def _unchanged(medium: _Medium) -> Iterator[str]:
    assert medium.stock
    sums, stock_sums = medium.server.md5sums, live_server.read(medium.stock, "").md5sums
    yield from (
        f"/{place} is another" for place in stock_sums if place not in REPLACED and sums.get(place) != stock_sums[place]
    )


def boot_images(image: Path) -> dict[str, bytes]:
    """Returns what firmware reads before any file: the MBR's code and El Torito's images.

    Without the places in them that say where on the medium something is (xorriso's manual, "boot-info-table" and
    "grub2-boot-info").
    """
    with tempfile.TemporaryDirectory(prefix="rigforge-") as name:
        folder = Path(name) / "images"
        run(["xorriso", "-osirrox", "on", "-indev", image, "-extract_boot_images", folder])
        images = {file.name: bytearray(file.read_bytes()) for file in folder.iterdir() if "eltorito_img" in file.name}
    with image.open("rb") as content:
        images["MBR"] = bytearray(content.read(440))
    for file, parts in {"eltorito_img1_bios.img": [(8, 64), (2548, 2556)], "MBR": [(432, 440)]}.items():
        for start, end in parts:
            images[file][start:end] = bytes(end - start)
    return {file: bytes(part) for file, part in images.items()}


def _described(image: Path) -> list[str]:
    """Returns xorriso's report on what firmware sees, without sizes, places, and the gap at the end."""
    report = run(["xorriso", "-indev", image, "-report_system_area", "plain", "-report_el_torito", "plain"]).stdout
    gap = re.findall(r"^GPT partname local : +(\d+)  Gap", report, re.MULTILINE)
    lines = [line for line in report.splitlines() if not re.match(rf"GPT [\w ]+: +({'|'.join(gap) or 'none'})  ", line)]
    # Whether cylinders are aligned xorriso guesses by the size, and the options are the summary as a number.
    lines = [re.sub(" cyl-align-[a-z]+", "", line) for line in lines if not line.startswith("System area options")]
    place_lines = ("ISO image size", "MBR partition  ", "GPT lba range", "GPT start and size", "El Torito catalog")
    facts = [line for line in lines if not line.startswith((*place_lines, "GPT disk GUID", "GPT partition GUID"))]
    return [re.sub(r" +\d+$", "", line) if line.startswith("El Torito boot img") else line for line in facts]


def _default_source(medium: _Medium) -> dict[str, Any]:
    return next(source for source in live_server.listed(medium.server.sources) if source.get("default"))


def _text(medium: _Medium, place: str) -> str:
    if place not in medium.extents:
        raise RigforgeError(f"{medium.image} has no {place}", "build it anew")
    return _bytes(medium, place).decode()


def _bytes(medium: _Medium, place: str) -> bytes:
    with medium.image.open("rb") as content:
        return b"".join(_read(content, medium.extents[place]))


def _md5(image: Path, extents: list[tuple[int, int]]) -> str:
    md5 = hashlib.md5(usedforsecurity=False)
    with image.open("rb") as content:
        for chunk in _read(content, extents):
            md5.update(chunk)
    return md5.hexdigest()


def _read(content: Any, extents: list[tuple[int, int]]) -> Iterator[bytes]:
    for start, size in extents:
        content.seek(start)
        while size and (chunk := content.read(min(size, 1 << 20))):
            size -= len(chunk)
            yield chunk
