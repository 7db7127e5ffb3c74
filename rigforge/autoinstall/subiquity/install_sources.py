"""install-sources.yaml of a medium: a list of sources, and from 25.04 on a mapping with them."""

from __future__ import annotations

from pathlib import Path

import yaml

from rigforge.errors import RigforgeError
from rigforge.foreign import boundary


def ids(path: Path) -> tuple[str, ...]:
    """Returns the ids of the sources. Raises RigforgeError where the file is not one of install sources."""
    hint = "it is on the medium, in casper/"
    try:
        with boundary(f"{path} cannot be read", hint):
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RigforgeError(f"{path} cannot be read: {error.strerror}", hint) from error
    sources = content.get("sources") if isinstance(content, dict) else content
    if not isinstance(sources, list) or not all(isinstance(source, dict) and "id" in source for source in sources):
        raise RigforgeError(f"{path}: no list of sources with an id each", hint)
    return tuple(str(source["id"]) for source in sources)
