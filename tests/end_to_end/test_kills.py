"""Builds that are killed, and what the next one gives (2 minutes). bench/kills.py does the same hundreds of times."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.kills import builds
from bench.made_stack import NAME

pytestmark = pytest.mark.build

#: As parts of a whole build: in each layer, in the ISO's and in the image's making.
MOMENTS = (0.1, 0.3, 0.45, 0.6, 0.85)


def test_the_build_after_a_killed_one_gives_the_right_bytes(tmp_path: Path) -> None:
    tried = builds(NAME, tmp_path)
    kills = [tried.kill(part * tried.seconds, group=number % 2 == 0) for number, part in enumerate(MOMENTS)]
    assert [kill for kill in kills if kill.left or not kill.right] == []
