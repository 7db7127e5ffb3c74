"""The files of dockerfiles/files as an image has them, below a folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from rigforge.paths import PROJECT

FILES = PROJECT / "dockerfiles/files"

#: Of the image's facts, what the checks read: CUDA 12.8.
CUDA_12_8 = {"versions": {"cuda": "12.8"}, "requires": {"driver": "525.60.13"}}
CUDA_13_0 = {"versions": {"cuda": "13.0"}, "requires": {"driver": "580"}}
NO_CUDA = {"versions": {"python": "3.11.2"}}


def install(root: Path, manifest: dict[str, object]) -> Path:
    """Returns the entrypoint."""
    programs, library, facts = (root / folder for folder in ("usr/local/bin", "usr/local/lib/rigforge", "etc/rigforge"))
    for folder in (programs, library, facts):
        folder.mkdir(parents=True)
    (facts / "manifest.json").write_text(json.dumps(manifest))
    shutil.copy(FILES / "gpu_check.py", library)
    return Path(shutil.copy(FILES / "rigforge-entrypoint", programs))
