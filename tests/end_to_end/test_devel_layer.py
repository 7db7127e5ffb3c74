"""The devel layer compiles: a C++ extension for PyTorch, in the layers themselves (3 minutes, and their building)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rigforge import namespace
from rigforge.layers.build import Cache
from rigforge.layers.plan import plan
from rigforge.layers.root import Root, interfaces, overlay
from rigforge.lock.model import read
from rigforge.paths import home
from rigforge.stack.load import load
from tests.end_to_end.chain import OUT, rigforge, usable

pytestmark = pytest.mark.full

EXTENSION = """
import torch
from torch.utils.cpp_extension import load_inline

source = "torch::Tensor twice(torch::Tensor x) { return x + x; }"
module = load_inline("twice", cpp_sources=source, functions=["twice"], build_directory="/tmp/build")
assert module.twice(torch.ones(3)).tolist() == [2.0, 2.0, 2.0]
print("compiled and run")
"""


def in_the_layers(request: dict[str, Any]) -> None:
    """Inside: runs a Python program with the environment of a login shell, in the stacked layers."""
    place = Path(request["place"])
    for name in ("files", "upper", "work", "mounted"):
        (place / name).mkdir()
    root = Root(place / "mounted", place / "files", {}, 0)
    lowers = [Path(lower) for lower in request["lowers"]]
    with (
        overlay(root.path, lowers=lowers, upper=place / "upper", work=place / "work"),
        interfaces(root.path, root.files),
    ):
        root.write("tmp/program.py", request["program"])
        (root.path / "tmp/build").mkdir()
        print(root.chroot(["bash", "-lc", "python /tmp/program.py"], HOME="/tmp"))


def test_a_cpp_extension_compiles_and_runs(tmp_path: Path) -> None:
    stack = load(usable("debian-12", tmp_path))
    rigforge("build-images", "--stack", stack.path, "--image", "dev", "--out", OUT / "images")
    devel = next(layer for layer in plan(stack, read(stack.lock_path)) if layer.name == "devel")
    cache = Cache(home())
    request = {
        "place": str(tmp_path),
        "lowers": [str(cache.rootfs(layer)) for layer in reversed(devel.chain())],
        "program": EXTENSION,
    }
    try:
        namespace.call(f"{__name__}:in_the_layers", request, log=tmp_path / "log")
        assert "compiled and run" in (tmp_path / "log").read_text()
    finally:
        for name in ("upper", "work"):
            namespace.remove_tree(tmp_path / name)
