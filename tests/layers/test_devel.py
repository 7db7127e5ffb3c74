"""nvcc from an archive like NVIDIA's compiles, in the one tree of CUDA that PyTorch's wheels have.

The compiler is the real one: its files, 105 MB, come from the wheels on PyPI (half a minute).
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from rigforge import namespace
from rigforge.layers.cuda_tree import link_tree
from rigforge.layers.recipes import devel
from rigforge.layers.root import Root, interfaces
from rigforge.paths import PROJECT
from rigforge.process import run
from tests.layers import nvidia_toolkit
from tests.sources.signed_archive import FlatArchive

pytestmark = pytest.mark.network

SITE = "opt/rigforge/python/lib/python3.11/site-packages"
WHEEL = f"/{SITE}/nvidia/cu13/lib/libcudart.so.13"
OPTIONS = devel.Options("/opt/rigforge/python", f"/{SITE}", "/usr/local/cuda", "13.0")

#: Said after the probe of the image tests has compiled and run a program.
LOOK = """
import os, pathlib
places = [pathlib.Path("/usr/local"), pathlib.Path("/opt")]
copies = [str(file) for place in places for file in place.rglob("libcudart.so*") if not file.is_symlink()]
print(json.dumps({
    "copies": copies,
    "library": os.path.realpath("/usr/local/cuda/lib64/libcudart.so"),
    "tree": os.path.realpath("/usr/local/cuda"),
    "unfinished": output("dpkg", "--audit"),
}))
"""


def compile_in_a_root(request: Mapping[str, Any]) -> None:
    """Inside: builds `devel` in a root of the machine's own programs and a wheel of CUDA's, and compiles there."""
    path = Path(request["root"])
    dpkg = [f"var/lib/dpkg/{name}" for name in ("info", "updates", "triggers")]
    apt = ["var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/log/apt"]
    for name in ("dev", "run", "tmp", "proc", "usr", "etc/alternatives", *dpkg, *apt):
        (path / name).mkdir(parents=True)
    (path / "var/lib/dpkg/status").touch()
    for name in ("bin", "sbin", "lib", "lib64"):
        (path / name).symlink_to(f"usr/{name}")
    run(["mount", "-o", "bind,ro", "/usr", path / "usr"])
    for place in ("usr/local", "usr/sbin"):
        # Both are written to; what the machine has in the second is needed.
        run(["mount", "-t", "tmpfs", "tmpfs", path / place])
    shutil.copytree("/usr/sbin", path / "usr/sbin", dirs_exist_ok=True, symlinks=True)
    with zipfile.ZipFile(request["wheel"]) as wheel:
        wheel.extractall(path / SITE)
    root = Root(path, Path(request["files"]), {}, 1_700_000_000)
    link_tree(root, OPTIONS)
    with interfaces(path, root.files):
        devel.build(root, OPTIONS)
        root.write("tmp/program.py", request["program"])
        print(root.chroot(["python3", "/tmp/program.py"]))


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[dict[str, Any]]]:
    place = tmp_path_factory.mktemp("toolkit")
    wheels = nvidia_toolkit.download(place)
    nvidia_toolkit.publish(FlatArchive(place / "files"), wheels)
    (place / "root").mkdir()
    request = {
        "root": str(place / "root"),
        "files": str(place / "files"),
        "wheel": str(wheels["nvidia-cuda-runtime"]),
        "program": (PROJECT / "image_tests/probes/nvcc.py").read_text() + LOOK,
    }
    try:
        namespace.call(f"{__name__}:compile_in_a_root", request, log=place / "log")
        yield [json.loads(line) for line in (place / "log").read_text().splitlines() if line.startswith("{")]
    finally:
        namespace.remove_tree(place / "root")


def test_a_program_of_cuda_is_compiled_and_says_what_it_misses(said: list[dict[str, Any]]) -> None:
    assert said[0] == {"version": "13.0", "said": "cudaErrorInsufficientDriver"}


def test_cuda_is_one_tree_with_one_copy_of_its_library(said: list[dict[str, Any]]) -> None:
    assert said[1] == {"copies": [WHEEL], "library": WHEEL, "tree": "/usr/local/cuda-13.0", "unfinished": ""}
