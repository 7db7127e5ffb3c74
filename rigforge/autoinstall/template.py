"""The templates in cloud-init/: YAML by substitution and loops, nothing more."""

from __future__ import annotations

import json
import re
from typing import Any

import jinja2

from rigforge import paths


def fill(name: str, **values: Any) -> str:
    """Returns the template `name` of cloud-init/ with the values put in; a value that is not given is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(paths.SHARE / "cloud-init"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["tojson"] = as_yaml
    return environment.get_template(name).render(values)


def as_yaml(value: Any) -> str:
    """Returns JSON of a plain value that YAML reads as the same value, whatever characters its texts hold."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    # JSON's own escapes are not enough: it writes 😀 as two halves, which YAML takes for two characters.
    return re.sub(r"[^ -~]", lambda match: _escape(ord(match[0])), text)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
