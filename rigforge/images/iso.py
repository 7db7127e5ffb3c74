"""The hybrid ISO: one image for USB sticks and DVDs, BIOS and UEFI."""

from __future__ import annotations

import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from rigforge import atomic
from rigforge.images import hashed_output
from rigforge.images.medium import Medium
from rigforge.process import run


def write(medium: Medium, boot: Path, volume_id: str, epoch: int, output: Path) -> str:
    """Writes the ISO to `output`, whole or not at all, and returns its sha256 (hex); the same input, the same bytes.

    `boot` holds bios.img (El Torito), boot_hybrid.img (MBR) and efi.img (the EFI system partition); `epoch`
    (seconds since 1970) is the time of everything in it.

    Raises CommandFailed with xorriso's words, RigforgeError where the disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="rigforge-") as directory:
        texts = Path(directory)
        points = [f"{place}={path}" for place, path in medium.large.items()]
        for place, text in medium.texts.items():
            file = texts / place
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            points.append(f"{place}={file}")
        moment = datetime.fromtimestamp(epoch, UTC).strftime("%Y%m%d%H%M%S00")
        command: list[str | Path] = ["xorriso", "-as", "mkisofs", "-quiet", "-o", "-", "-r", "-V", volume_id]
        command += ["-iso-level", "3", f"--modification-date={moment}", "--set_all_file_dates", moment]
        command += ["-partition_offset", "16", "--grub2-mbr", boot / "boot_hybrid.img"]
        command += ["-append_partition", "2", "0xef", boot / "efi.img", "-appended_part_as_gpt"]
        command += ["-c", "boot/boot.cat", "-b", "boot/bios.img", "-no-emul-boot", "-boot-load-size", "4"]
        command += ["-boot-info-table", "--grub2-boot-info"]
        command += ["-eltorito-alt-boot", "-e", "--interval:appended_partition_2:all::", "-no-emul-boot"]
        command += ["-graft-points", f"boot/bios.img={boot / 'bios.img'}", *sorted(points)]
        return hashed_output.write(command, output, {"SOURCE_DATE_EPOCH": str(epoch)}, private=medium.private)


def rewrite(output: Path, medium: Medium) -> None:
    """Puts the texts of `medium` into an ISO of the same layout; the result is what `write` would make.

    The ISO is hidden while it is neither the old nor the new one.
    """
    places = {place: parts[0][0] for place, parts in extents(output).items()}
    with atomic.making(output) as hidden:
        output.rename(hidden)
        if medium.private:
            hidden.chmod(0o600)
        with hidden.open("r+b") as file:
            for place, text in medium.texts.items():
                file.seek(places[place])
                file.write(text.encode())


def extract(image: Path, place: str, target: Path) -> bool:
    """Puts the file `place` of an ISO into the file `target`; returns whether there is one."""
    run(["xorriso", "-osirrox", "on", "-indev", image, "-extract", f"/{place}", target], check=False)
    return target.exists()


def text_in_squashfs(image: Path, start: int, place: str) -> str | None:
    """Returns what a file says of the squashfs that begins at `start` (bytes) in an ISO; None where it is not there."""
    result = run(["unsquashfs", "-offset", str(start), "-cat", image, place], check=False)
    return None if result.returncode else result.stdout


def extents(image: Path, folder: str = "/") -> dict[str, list[tuple[int, int]]]:
    """Returns where the parts of each file below a folder of an ISO begin and how long they are; most have one.

    All in bytes, by the file's place.
    """
    listing = run(["xorriso", "-indev", image, "-find", folder, "-type", "f", "-exec", "report_lba", "--"]).stdout
    rows = re.findall(r"^File data lba: +\d+ , +(\d+) , +(\d+) , +(\d+) , '/(.*)'$", listing, flags=re.MULTILINE)
    parts: dict[str, list[tuple[int, int]]] = {}
    for block, blocks, size, place in rows:
        # The size is the whole file's, on each of its lines.
        remainder = int(size) - sum(length for _, length in parts.get(place, ()))
        parts.setdefault(place, []).append((2048 * int(block), min(remainder, 2048 * int(blocks))))
    return parts
