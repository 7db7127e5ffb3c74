"""What the installer finds wrong with the section `reporting`, before it reads any other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rigforge.autoinstall.subiquity.document import Finding, table


def errors(reporting: dict[str, Any]) -> Iterator[Finding]:
    """Yields which of its handlers there are not, lack an argument, or have one that they do not know."""
    handlers: dict[str, dict[str, list[str]]] = table("names")["reporting"]
    for name, handler in reporting.items():
        key = f"reporting.{name}"
        if not isinstance(handler, dict) or not isinstance(handler.get("type"), str):
            continue
        kind = handlers.get(handler["type"])
        if kind is None:
            message = f"the installer has no handler {handler['type']!r}"
            yield Finding("error", f"{key}.type", message, f"known are: {', '.join(handlers)}")
            continue
        required, optional = kind.get("required", []), kind.get("optional", [])
        for field in required:
            if field not in handler:
                yield Finding("error", key, f"a {handler['type']} needs {field}", f"add {field}")
        group = kind.get("together", [])
        if any(handler.get(part) for part in group) and not all(handler.get(part) for part in group):
            yield Finding("error", key, f"a {handler['type']} has all or none of {', '.join(group)}", "add the others")
        for stranger in handler.keys() - {"type", *required, *optional}:
            message = f"a {handler['type']} knows no {stranger}"
            cure = f"known are: {', '.join(required + optional)}" if required + optional else "remove it"
            yield Finding("error", f"{key}.{stranger}", message, cure)
