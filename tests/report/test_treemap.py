"""Areas are sizes, and what can be read in them fits."""

from __future__ import annotations

from itertools import combinations

import pytest

from rigforge.report.treemap import CHARACTER, LINE, Group, Rectangle, Slice, Tile, treemap

MB = 1_000_000
PACKAGES = [Slice(f"nvidia-library-{n}", (40 - n) ** 3 * MB // 100, f"{n} MB") for n in range(40)]
LAYERS = {
    "base": ("80 MB", [Slice("bash", 30 * MB, "30 MB"), Slice("perl", 50 * MB, "50 MB")]),
    "cuda": ("6 GB", PACKAGES),
    "medium": ("1 kB", [Slice("note", 1000, "1 kB")]),
}


def area(rectangle: Rectangle) -> float:
    return rectangle.width * rectangle.height


def inside(inner: Rectangle, outer: Rectangle) -> bool:
    slack = 1e-6
    return (
        inner.x >= outer.x - slack
        and inner.y >= outer.y - slack
        and inner.x + inner.width <= outer.x + outer.width + slack
        and inner.y + inner.height <= outer.y + outer.height + slack
    )


def overlap(one: Rectangle, other: Rectangle) -> float:
    wide = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    high = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    return max(0.0, wide) * max(0.0, high)


@pytest.fixture(params=[(960.0, 520.0), (380.0, 640.0)], ids=["wide", "tall"])
def groups(request: pytest.FixtureRequest) -> tuple[Group, ...]:
    return treemap(LAYERS, *request.param)


def tiles(groups: tuple[Group, ...]) -> list[Tile]:
    return [tile for group in groups for tile in group.tiles]


def test_layers_fill_the_picture_in_proportion_to_their_sizes() -> None:
    groups = {group.number: group for group in treemap(LAYERS, 960, 520)}
    assert sum(area(group.rectangle) for group in groups.values()) == pytest.approx(960 * 520)
    share = sum(part.size for part in PACKAGES) / (sum(part.size for part in PACKAGES) + 80 * MB)
    assert area(groups[2].rectangle) / (960 * 520) == pytest.approx(share)


def test_tiles_lie_in_their_layer_and_not_on_each_other(groups: tuple[Group, ...]) -> None:
    assert all(inside(tile.rectangle, group.rectangle) for group in groups for tile in group.tiles)
    pairs = combinations([tile.rectangle for tile in tiles(groups)], 2)
    assert max(overlap(one, other) for one, other in pairs) < 1e-6


def test_text_fits_into_its_tile(groups: tuple[Group, ...]) -> None:
    written = [tile for tile in tiles(groups) if tile.lines]
    assert written
    for tile in written:
        assert max(len(line) for line in tile.lines) * CHARACTER <= tile.rectangle.width
        assert len(tile.lines) * LINE <= tile.rectangle.height


def test_a_long_name_is_broken_at_its_hyphens() -> None:
    (group,) = treemap({"cuda": ("1 GB", [Slice("nvidia-cusparselt-cu12", MB, "1 MB")])}, 90, 200)
    assert group.tiles[0].lines == ("nvidia-", "cusparselt-", "cu12", "1 MB")
    (group,) = treemap({"host": ("1 GB", [Slice("linux-image-6.1.0-56-amd64", MB, "1 MB")])}, 90, 200)
    assert group.tiles[0].lines == ("linux-image-", "6.1.0-56-", "amd64", "1 MB")


def test_packages_too_small_to_be_seen_are_drawn_as_one(groups: tuple[Group, ...]) -> None:
    (cuda,) = (group for group in groups if group.number == 2)
    (smaller,) = (tile for tile in cuda.tiles if "smaller" in tile.title)
    assert len(cuda.tiles) < len(PACKAGES)
    assert int(smaller.title.split()[0]) == len(PACKAGES) - len(cuda.tiles) + 1


def test_a_layer_too_small_to_be_seen_is_left_out(groups: tuple[Group, ...]) -> None:
    assert {group.number for group in groups} == {1, 2}


def test_nothing_makes_an_empty_picture() -> None:
    assert treemap({"base": ("0 B", [])}, 960, 520) == ()
