"""Password hashes: which of them nobody can log in with."""

from __future__ import annotations

import re

from rigforge.autoinstall.subiquity.document import table

_CURE = "openssl passwd -6"

#: What templates and examples have in place of a hash.
_PLACEHOLDER = re.compile(r"change.?me|replace|place.?holder|your.?(password|hash)|<|\{\{|\$\{|\.\.\.|…", re.IGNORECASE)


def is_locked(value: str) -> bool:
    """Tells whether a hash says on purpose that there is no password."""
    return value in ("!", "!!", "*", "!*")


def doubt(value: str) -> tuple[str, str]:
    """Returns why nobody can log in with a hash, and the cure; ("", "") where somebody can, or is not meant to."""
    if is_locked(value):
        return "", ""
    if _PLACEHOLDER.search(value):
        return "it is a placeholder: nobody could log in with it", _CURE
    method = re.match(r"\$([0-9a-z]+)\$", value)
    if not method:
        return "it is no hash: nobody could log in with it", _CURE
    form = table("lint")["hashes"].get(method[1])
    if form is None:
        return f"${method[1]}$ is no method that a login knows", _CURE
    if not re.fullmatch(form, value):
        return f"it is not as long as a hash of ${method[1]}$ is, or has other signs in it", _CURE
    return "", ""


def weakness(value: str) -> tuple[str, str]:
    """Returns why a hash is soon broken, and the cure; ("", "") where it is not."""
    method = re.match(r"\$([0-9a-z]+)\$", value)
    weak = table("lint")["weak"].get(method[1]) if method else None
    return (f"{weak} is broken quickly", _CURE) if weak else ("", "")
