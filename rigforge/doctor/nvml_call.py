"""One call of NVIDIA's management library, whose answer may be an error, or nothing that NVIDIA's would say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import pynvml

from rigforge.plain import line

T = TypeVar("T")

#: What the Python package raises where the library answers in no way that NVIDIA's does (bytes that are no text, …).
ODD = (OSError, ValueError, TypeError, AttributeError, LookupError, MemoryError, OverflowError)


def maybe(read: Callable[..., T], *arguments: Any) -> T | None:
    """Returns what the library says; None where it says that it cannot."""
    try:
        answer = read(*arguments)
        return cast(T, line(answer)) if isinstance(answer, str) else answer
    except (pynvml.NVMLError, *ODD):
        return None
