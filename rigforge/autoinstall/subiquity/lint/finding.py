"""Warnings, and the parts of a document that they are about."""

from __future__ import annotations

from typing import Any

from rigforge.autoinstall.subiquity.document import DOUBTFUL, Finding


def warning(key: str, message: str, hint: str, harm: int = DOUBTFUL) -> Finding:
    """Returns a warning about the value of `key`."""
    return Finding("warning", key, message, hint, harm=harm)


def mapping(value: Any) -> dict[str, Any]:
    """Returns a value that ought to be a mapping, or an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """Returns a value that ought to be a list, or an empty one."""
    return value if isinstance(value, list) else []
