"""Which layers have to be built, where some are there from before."""

from __future__ import annotations

from pathlib import Path

import pytest

from rigforge.layers.build import Cache, missing
from rigforge.layers.plan import Layer

BASE = Layer("base", None, ())
DOCTOR = Layer("doctor", BASE, (), shipped=False)
HOST = Layer("host", BASE, (), uses=(DOCTOR,))
BOOT = Layer("boot", HOST, (), shipped=False)
MEDIUM = Layer("medium", HOST, (), uses=(BOOT,))
LAYERS = (BASE, DOCTOR, HOST, BOOT, MEDIUM)


@pytest.mark.parametrize(
    ("gone", "built"),
    [
        ((), ()),
        (("host",), ("host",)),
        (("host", "doctor"), ("doctor", "host")),
        # It serves the host alone, which is there.
        (("doctor",), ()),
        # The medium has its files, however many times it is written.
        (("boot",), ("boot",)),
        (("base", "doctor", "host", "boot", "medium"), ("base", "doctor", "host", "boot", "medium")),
    ],
)
def test_what_is_gone_is_built_where_something_needs_it(
    gone: tuple[str, ...], built: tuple[str, ...], tmp_path: Path
) -> None:
    cache = Cache(tmp_path)
    for layer in LAYERS:
        if layer.name not in gone:
            cache.layer(layer).mkdir(parents=True)
    assert tuple(layer.name for layer in missing(LAYERS, cache)) == built
