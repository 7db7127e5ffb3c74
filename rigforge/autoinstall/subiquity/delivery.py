"""What must be at the top of a document, by the way it comes to the installer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from rigforge.autoinstall.subiquity.document import Document, Finding, table

#: A file on the medium or one that the kernel's line names with subiquity.autoinstallpath=, which the installer reads
#: itself; or the user-data of NoCloud, which cloud-init reads first.
Way = Literal["iso", "cmdline", "nocloud"]
WAYS: tuple[Way, ...] = ("iso", "cmdline", "nocloud")

_CLOUD_CONFIG = re.compile(r"(## template:\s*jinja\s*\n)?#cloud-config")


def findings(document: Document, way: Way | None) -> Iterator[Finding]:
    """Yields what is wrong at the top of a document; where no way is named, as a file, with doubts of the others."""
    served = bool(_CLOUD_CONFIG.match(document.text))
    extras = [str(key) for key in document.whole if key != "autoinstall"] if document.wrapped else []
    if way == "nocloud":
        if not served:
            message = "cloud-init passes over user-data that does not start with #cloud-config: the installer would ask"
            yield Finding("error", "autoinstall", message, "first line: #cloud-config")
        if not document.wrapped:
            message = "cloud-init hands on only what is below this key"
            yield Finding("error", "autoinstall", message, "put all below `autoinstall:`")
        for key in extras:
            yield from _misplaced(key)
        return
    if extras:
        hint = "leave `autoinstall` alone at the top"
        more = "" if way else " (as NoCloud's user-data they are cloud-init's: --as nocloud)"
        yield Finding("error", "autoinstall", f"beside it are other keys: {', '.join(sorted(extras))}", hint + more)
    if way is None and served and not document.wrapped:
        message = "cloud-init hands on only what is below this key"
        yield Finding("warning", "autoinstall", message, "put all below `autoinstall:`, or --as iso")
    if way is None and document.wrapped and not served:
        message = "served as user-data it would be ignored"
        yield Finding("warning", "autoinstall", message, "first line: #cloud-config, or --as iso")


def _misplaced(key: str) -> Iterator[Finding]:
    """A key that the installer knows and cloud-init does not ends the installation, where it is beside autoinstall."""
    sections = table("sections")
    if isinstance(sections.get(key), dict) and "schema" in sections[key]:
        if key not in sections["cloud_config"]:
            yield Finding("error", key, "it is a key of autoinstall, beside it", "put it below `autoinstall:`")
        else:
            message = "beside autoinstall it is cloud-init's, for the live session"
            yield Finding("warning", key, message, "put it below `autoinstall:` where the installation is meant")
