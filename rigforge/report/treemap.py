"""A treemap of layers and their packages: areas as their sizes (Bruls, Huizing, van Wijk, "Squarified Treemaps")."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import squarify  # type: ignore[import-untyped]

#: Height of the strip with a layer's name, and of a line of text; widths of a character. In the units of the picture.
HEAD, LINE, CHARACTER, HEAD_CHARACTER = 18.0, 14.0, 6.1, 6.9

#: Between the edge of a rectangle and its text.
MARGIN = 5.0

#: What would have less area than this is drawn together with its like; a layer smaller than the second is left out.
SMALLEST_TILE, SMALLEST_LAYER = 140.0, 1200.0


@dataclass(frozen=True)
class Rectangle:
    """A rectangle of the picture; y grows downwards."""

    x: float
    y: float
    width: float
    height: float

    def below(self, strip: float) -> Rectangle:
        """Returns what is left under a strip of this height."""
        return Rectangle(self.x, self.y + strip, self.width, self.height - strip)

    @property
    def room(self) -> tuple[int, int]:
        """How many characters fit in a line, and how many lines in the rectangle."""
        return int((self.width - 2 * MARGIN) / CHARACTER), int((self.height - 4) / LINE)


@dataclass(frozen=True)
class Tile:
    """A package's rectangle. `lines` is what is written in it, as much as fits; `title` is all that is to be said."""

    rectangle: Rectangle
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """A layer's rectangle with its tiles; `number` is its place among the layers, from 1."""

    rectangle: Rectangle
    number: int
    title: str
    heads: tuple[str, ...]
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Slice:
    """What is to be drawn: a name, a size in bytes, and the size in words."""

    name: str
    size: int
    words: str


def treemap(layers: Mapping[str, tuple[str, Sequence[Slice]]], width: float, height: float) -> tuple[Group, ...]:
    """Lays out layers (their names with their sizes in words, and their parts) in a picture; the largest come first."""
    totals = {name: sum(part.size for part in parts) for name, (_, parts) in layers.items()}
    per_byte = width * height / max(1, sum(totals.values()))
    names = sorted(
        (name for name in layers if totals[name] * per_byte >= SMALLEST_LAYER), key=lambda name: -totals[name]
    )
    numbers = {name: place for place, name in enumerate(layers, 1)}
    rectangles = _divide([totals[name] for name in names], Rectangle(0, 0, width, height))
    return tuple(
        _group(name, numbers[name], *layers[name], rectangle) for name, rectangle in zip(names, rectangles, strict=True)
    )


def _group(name: str, number: int, words: str, parts: Sequence[Slice], rectangle: Rectangle) -> Group:
    title = f"{name} {words}"
    width = (rectangle.width - 2 * MARGIN) / HEAD_CHARACTER
    heads = tuple(text for text in (title, name) if len(text) <= width and rectangle.height > 2 * HEAD)[:1]
    inside = rectangle.below(HEAD) if heads else rectangle
    merged = _merge(parts, inside)
    rectangles = _divide([part.size for part in merged], inside)
    tiles = tuple(_tile(part, each) for part, each in zip(merged, rectangles, strict=True))
    return Group(rectangle, number, title, heads, tiles)


def _merge(parts: Sequence[Slice], inside: Rectangle) -> list[Slice]:
    """Returns the parts, the largest first, with those that are too small to be seen as one."""
    ordered = sorted(parts, key=lambda part: (-part.size, part.name))
    total = sum(part.size for part in ordered)
    smallest = SMALLEST_TILE * total / (inside.width * inside.height)
    large = [part for part in ordered if part.size >= smallest]
    small = ordered[len(large) :]
    together = sum(part.size for part in small)
    rest = [Slice(f"{len(small)} smaller", together, f"{100 * together / total:.1f} % of the layer")] if small else []
    return sorted(large + rest, key=lambda part: -part.size)


def _tile(part: Slice, rectangle: Rectangle) -> Tile:
    width, height = rectangle.room
    # textwrap breaks at spaces and between letters, but not in 6.1.0-56.
    words = part.name.replace("-", "- ")
    name = tuple(line.replace("- ", "-") for line in textwrap.wrap(words, max(1, width), break_long_words=False))
    lines = (*name, part.words) if len(name) < height and len(part.words) <= width else name
    fits = len(name) <= height and all(len(line) <= width for line in name)
    return Tile(rectangle, f"{part.name}: {part.words}", lines if fits else ())


def _divide(sizes: Sequence[int], rectangle: Rectangle) -> list[Rectangle]:
    """Divides a rectangle by sizes, which are in descending order."""
    area = squarify.normalize_sizes(sizes, rectangle.width, rectangle.height) if sizes else []
    places = squarify.squarify(area, rectangle.x, rectangle.y, rectangle.width, rectangle.height)
    return [Rectangle(each["x"], each["y"], each["dx"], each["dy"]) for each in places]
