"""What the package says of itself: under which licence it is."""

from __future__ import annotations

import hashlib
import tomllib
from typing import Any

from rigforge.paths import PROJECT

#: Of the Apache License 2.0 as Debian's base-files has it in /usr/share/common-licenses.
APACHE_2 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"


def package() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    return project


def test_the_licence_is_the_whole_official_text_unchanged() -> None:
    assert package()["license"] == "Apache-2.0"
    assert hashlib.sha256((PROJECT / "LICENSE").read_bytes()).hexdigest() == APACHE_2


def test_a_wheel_gets_licence_and_notice_with_it() -> None:
    assert package()["license-files"] == ["LICENSE", "NOTICE"]
    assert "the Rigforge contributors" in (PROJECT / "NOTICE").read_text()
