"""All there is to say of a document: errors in the order of the file, then warnings, the most harmful first."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from rigforge.autoinstall.subiquity import cloud_config
from rigforge.autoinstall.subiquity import delivery as ways
from rigforge.autoinstall.subiquity.accepted import Release, errors
from rigforge.autoinstall.subiquity.boot import FIRMWARES, Firmware
from rigforge.autoinstall.subiquity.delivery import Way
from rigforge.autoinstall.subiquity.document import Document, Finding, read
from rigforge.autoinstall.subiquity.lint import warnings


def check(
    path: Path,
    release: Release,
    sources: Collection[str] | None = None,
    firmware: Collection[Firmware] = FIRMWARES,
    way: Way | None = None,
    *,
    offline: bool = False,
) -> tuple[Finding, ...]:
    """Returns why a release's installer refuses a document, and what people will regret of it.

    `sources` are the ids of the medium's install sources, `firmware` the kinds that the machines have, `way` tells how
    the document comes to the installer. With `offline` nothing is downloaded that user-data is looked at with.

    Raises RigforgeError where it is no document at all.
    """
    document = read(path)
    findings = [*ways.findings(document, way), *errors(document, release, sources, firmware)]
    data = document.sections.get("user-data")
    if isinstance(data, dict):
        findings += cloud_config.errors(data, release, offline=offline)
    keys = {finding.key for finding in findings}
    doubtful = [finding for finding in warnings(document, release) if finding.key not in keys]
    results = [replace(finding, line=_line(document, finding.key)) for finding in (*findings, *doubtful)]
    return tuple(sorted(results, key=_order))


def _order(finding: Finding) -> tuple[str, int, int]:
    return finding.level, finding.harm if finding.level == "warning" else 0, finding.line


def _line(document: Document, key: str) -> int:
    """Returns the line of a key or, where it is not there, of what it would be in; 0 for none."""
    while key:
        if key in document.lines:
            return document.lines[key]
        key = key[: max(key.rfind("."), key.rfind("["), 0)]
    return 0
