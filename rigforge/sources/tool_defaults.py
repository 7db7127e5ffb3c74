"""Where this machine's tools look for an archive by default: python-apt's templates, mmdebstrap."""

from __future__ import annotations

import re
from pathlib import Path

from rigforge.sources import public_places

_TEMPLATES = Path("usr/share/python-apt/templates")
_MMDEBSTRAP = Path("usr/bin/mmdebstrap")
#: In mmdebstrap: `my $mirror = '…'` and those like it.
_ASSIGNED = re.compile(r"\$(?:sec)?mirror\s*=\s*'(?P<url>https?://[^'\s]+)'")


def url(role: str, root: Path = Path("/")) -> str:
    """Returns the URL that mmdebstrap, else python-apt, has for a role, without a closing slash; "" where none does.

    Their files are below `root`.
    """
    return (_of_mmdebstrap(role, root / _MMDEBSTRAP) or _of_template(role, root / _TEMPLATES)).rstrip("/")


def _of_mmdebstrap(role: str, program: Path) -> str:
    try:
        text = program.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    urls = (match["url"].rstrip("/") for match in _ASSIGNED.finditer(text))
    return next((url for url in urls if url.rsplit("/", 1)[-1] == role), "")


def _of_template(role: str, templates: Path) -> str:
    name, suite = public_places.template(role)
    try:
        text = (templates / name).read_text(encoding="utf-8", errors="replace") if name else ""
    except OSError:
        return ""
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = dict(re.findall(r"^([\w-]+):[ \t]*(\S+)", stanza, re.MULTILINE))
        if fields.get("Suite") == suite and fields.get("BaseURI", "").startswith(("http://", "https://")):
            return fields["BaseURI"]
    return ""
