"""NVIDIA's toolkit as apt packages: they belong to the CUDA that PyTorch brings, or are not taken."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rigforge.errors import RigforgeError
from rigforge.records.file import LockedFile
from rigforge.stack.model import Stack

#: "cuda-nvcc-12-8", "cuda-toolkit-12-8-config-common": packages that unpack to /usr/local/cuda-12.8.
_OF_A_RELEASE = re.compile(r"cuda-.+-(\d+)-(\d+)(-config-common)?")


def check_toolkit(stack: Stack, files: Iterable[LockedFile]) -> None:
    """Checks that the toolkit's packages are of the release in cuda.version, and in the layer that has one tree of it.

    Of a stack without CUDA nothing is asked. Raises RigforgeError with the key to change.
    """
    if stack.cuda.provider == "none":
        return
    release = stack.cuda.version.split(".")[:2]
    for file in files:
        release_match = _OF_A_RELEASE.fullmatch(file.name)
        if release_match and file.layer != "devel":
            raise RigforgeError(
                f"stack {stack.name}: {file.name} in the layer {file.layer} would be a second CUDA",
                "name it in packages.devel, where it becomes a part of the one in /usr/local/cuda",
            )
        if release_match and [release_match[1], release_match[2]] != release:
            package = file.name.replace(f"{release_match[1]}-{release_match[2]}", "-".join(release))
            raise RigforgeError(
                f"stack {stack.name}: {file.name} is not of the CUDA in cuda.version, {'.'.join(release)}",
                f"name {package} in packages.devel, or what asks for it",
            )
