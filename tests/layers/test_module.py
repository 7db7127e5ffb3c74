"""What is said when the kernel module does not compile, and what is made of one that does."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rigforge import namespace
from rigforge.layers.recipes.module import first_error, unpacked
from rigforge.layers.root import Root

#: The end of a real log: driver 550.163.01 against a kernel whose pci_resize_resource takes one more argument.
REAL = """\
  CC [M]  nvidia/nv-pci.o
nvidia/nv-pci.c: In function 'nv_resize_pcie_bars':
nvidia/nv-pci.c:211:9: error: too few arguments to function 'pci_resize_resource'
  211 |     r = pci_resize_resource(pci_dev, NV_GPU_BAR1, requested_size);
make[3]: *** [scripts/Makefile.build:249: nv-pci.o] Error 1
"""


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (REAL, "too few arguments to function 'pci_resize_resource'"),
        ('CC x\nERROR: modpost: "rcu_read_lock" is GPL only\nmake: failed', 'modpost: "rcu_read_lock"'),
        ("no compiler found\n", "no compiler found"),
        ("", "said nothing"),
    ],
)
def test_the_compilers_own_first_error_is_quoted(log: str, line: str) -> None:
    assert line in first_error(log)


def unpack(request: dict[str, Any]) -> None:
    """Inside: as the recipe does, with the machine's own root."""
    root = Root(Path("/"), Path("/"), {}, 0)
    assert unpacked(root, Path(request["module"])).name == "nvidia.ko"


def compressed(place: Path, content: bytes, suffix: str) -> Path:
    module = place / f"nvidia.ko{suffix}"
    if suffix == ".zst":
        subprocess.run(["zstd", "--quiet", "-o", module], input=content, check=True)
    else:
        module.write_bytes(gzip.compress(content) if suffix else content)
    return module


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_a_module_is_packed_uncompressed(suffix: str, tmp_path: Path) -> None:
    place = tmp_path / "modules"
    place.mkdir()
    module = compressed(place, b"\x7fELF and so on", suffix)
    namespace.call(f"{__name__}:unpack", {"module": str(module)}, log=tmp_path / "log")
    assert {path.name: path.read_bytes() for path in place.iterdir()} == {"nvidia.ko": b"\x7fELF and so on"}
