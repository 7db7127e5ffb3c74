"""Which layers another lock builds anew, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rigforge.layers.plan import Layer, plan
from rigforge.lock.model import Lock
from rigforge.stack.load import load


@dataclass(frozen=True)
class Rebuilt:
    """A layer with another key than before, and why: other files, other options (their names), other layers below.

    There is no reason for a layer that was not there before.
    """

    layer: str
    files: bool = False
    options: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()

    @property
    def is_new(self) -> bool:
        return not (self.files or self.options or self.layers)


def planned(lock: Lock, folder: Path) -> tuple[Layer, ...]:
    """Returns the layers of a lock, by the stack of its name: the one in `folder`, else one that comes with Rigforge.

    Raises RigforgeError where there is none, or where it cannot be built.
    """
    beside = folder / f"{lock.stack}.toml"
    return plan(load(beside if beside.is_file() else lock.stack), lock)


def rebuilt(before: Sequence[Layer], after: Sequence[Layer]) -> tuple[Rebuilt, ...]:
    """Returns the layers of `after` that a cache which has those of `before` does not have, in their order."""
    previous = {layer.name: layer for layer in before}
    return tuple(
        _why(previous[layer.name], layer) if layer.name in previous else Rebuilt(layer.name)
        for layer in after
        if layer.name not in previous or previous[layer.name].key != layer.key
    )


def _why(old: Layer, new: Layer) -> Rebuilt:
    had = {layer.key for layer in _below(old)}
    names = old.options_by_name.keys() | new.options_by_name.keys()
    return Rebuilt(
        new.name,
        files=_files(old) != _files(new),
        options=tuple(sorted(name for name in names if old.options_by_name.get(name) != new.options_by_name.get(name))),
        layers=tuple(layer.name for layer in _below(new) if layer.key not in had),
    )


def _below(layer: Layer) -> tuple[Layer, ...]:
    return (*((layer.parent,) if layer.parent else ()), *layer.uses)


def _files(layer: Layer) -> list[tuple[str, str]]:
    return [(file.basename, file.sha256) for file in layer.files]
