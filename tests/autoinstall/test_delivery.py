"""What is right at the top of a document as a file, and as user-data that cloud-init reads first."""

from __future__ import annotations

from pathlib import Path

import pytest

from rigforge.autoinstall.subiquity.delivery import Way, findings
from rigforge.autoinstall.subiquity.document import read

BARE = "version: 1\nidentity: {}\n"
BELOW = "autoinstall: {version: 1}\n"
SERVED = "#cloud-config\n" + BELOW


@pytest.mark.parametrize(
    ("way", "text", "expected"),
    [
        ("iso", BARE, []),
        ("iso", BELOW, []),
        ("iso", SERVED, []),
        ("iso", SERVED + "package_update: false\n", ["error autoinstall"]),
        ("cmdline", BELOW + "packages: [vim]\n", ["error autoinstall"]),
        ("nocloud", SERVED, []),
        ("nocloud", "## template: jinja\n" + SERVED, []),
        ("nocloud", SERVED + "package_update: false\n", []),
        ("nocloud", SERVED + "storage: {}\n", ["error storage"]),
        ("nocloud", SERVED + "packages: [vim]\n", ["warning packages"]),
        ("nocloud", BELOW, ["error autoinstall"]),
        ("nocloud", "#cloud-config\n" + BARE, ["error autoinstall"]),
        ("nocloud", BARE, ["error autoinstall", "error autoinstall"]),
        (None, BARE, []),
        (None, SERVED, []),
        (None, SERVED + "package_update: false\n", ["error autoinstall"]),
        (None, BELOW, ["warning autoinstall"]),
        (None, "#cloud-config\n" + BARE, ["warning autoinstall"]),
    ],
)
def test_the_top_of_a_document(tmp_path: Path, way: Way | None, text: str, expected: list[str]) -> None:
    file = tmp_path / "user-data"
    file.write_text(text)
    found = list(findings(read(file), way))
    assert [f"{each.level} {each.key}" for each in found] == expected
    assert all(each.hint for each in found)


def test_where_no_way_is_named_the_other_one_is_the_cure(tmp_path: Path) -> None:
    file = tmp_path / "user-data"
    file.write_text(SERVED + "runcmd: []\n")
    (found,) = findings(read(file), None)
    assert "--as nocloud" in found.hint
