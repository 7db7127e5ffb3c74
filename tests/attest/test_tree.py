"""Files in a root of several layers."""

from __future__ import annotations

from pathlib import Path

import pytest

from rigforge.attest.tree import find
from tests.attest.built_layers import lay


@pytest.fixture
def roots(tmp_path: Path) -> list[Path]:
    upper, lower = tmp_path / "upper", tmp_path / "lower"
    lay(upper, {"etc/both": "upper", "etc/upper": "upper"})
    lay(lower, {"etc/both": "lower", "etc/lower": "lower"})
    return [upper, lower]


def test_the_upper_layer_goes_first_and_the_lower_shines_through(roots: list[Path]) -> None:
    assert [find(f"etc/{name}", roots) for name in ("both", "upper", "lower", "none")] == [
        roots[0] / "etc/both",
        roots[0] / "etc/upper",
        roots[1] / "etc/lower",
        None,
    ]


def test_an_absolute_link_stays_in_the_root(roots: list[Path]) -> None:
    (roots[0] / "link").symlink_to("/etc/lower")
    (roots[0] / "passwd").symlink_to("/etc/passwd")
    (roots[0] / "up").symlink_to("../../../../../../../../etc/passwd")
    assert find("link", roots) == roots[1] / "etc/lower"
    assert Path("/etc/passwd").exists()
    assert find("passwd", roots) is None
    assert find("up", roots) is None


def test_what_a_file_or_link_of_an_upper_layer_hides_is_not_found(roots: list[Path]) -> None:
    lay(roots[1], {"place/file": "", "old/file": ""})
    lay(roots[0], {"place": "", "new/other": ""})
    (roots[0] / "old").symlink_to("new")
    assert find("place/file", roots) is None
    assert find("old/file", roots) is None
    assert find("old/other", roots) == roots[0] / "new/other"


def test_links_in_a_circle_lead_nowhere(roots: list[Path]) -> None:
    (roots[0] / "a").symlink_to("b")
    (roots[0] / "b").symlink_to("a")
    assert find("a", roots) is None
