"""A medium of somebody else's with files added: its boot set-up stays as it is, to the byte."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rigforge.images import hashed_output
from rigforge.images.medium import Medium


def write(base: Path, medium: Medium, volume_id: str, epoch: int, output: Path) -> str:
    """Writes the ISO `base` with the files of `medium` to `output`, whole or not at all, and returns its sha256 (hex).

    The same input gives the same bytes; `epoch` (seconds since 1970) is the time of what is added. MBR, GPT, El
    Torito's images and the EFI system partition are those of `base`, so that a Secure Boot machine starts it as before.

    Raises CommandFailed with xorriso's words, RigforgeError where the disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="rigforge-") as directory:
        files = dict(medium.large)
        for place, text in medium.texts.items():
            files[place] = Path(directory) / place
            files[place].parent.mkdir(parents=True, exist_ok=True)
            files[place].write_text(text, encoding="utf-8")
        command: list[str | Path] = ["xorriso", "-abort_on", "FAILURE", "-report_about", "WARNING"]
        command += ["-indev", base, "-outdev", "-", "-volid", volume_id]
        # A file above 4 GiB needs ISO 9660's level 3; Joliet is for those who open the stick under Windows.
        command += ["-compliance", "iso_9660_level=3:joliet_long_names", "-joliet", "on"]
        command += ["-boot_image", "any", "replay"]
        for place, file in sorted(files.items()):
            command += ["-map", file, f"/{place}"]
        places = [f"/{place}" for place in sorted(files)]
        folders = sorted({str(folder) for place in places for folder in Path(place).parents})
        command += ["-chown", "0", *places, *folders, "--", "-chgrp", "0", *places, *folders, "--"]
        command += ["-chmod", "0444", *places, "--", "-chmod", "0555", *folders, "--"]
        command += ["-alter_date", "b", f"={epoch}", *places, *folders, "--"]
        return hashed_output.write(command, output, {"SOURCE_DATE_EPOCH": str(epoch)}, private=medium.private)
