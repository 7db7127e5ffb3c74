"""What is said when the kernel module does not compile."""

from __future__ import annotations

import pytest

from rigforge.layers.recipes.module import first_error

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
