"""A stack that is locked is locked as it is now; `invoke lock --stack S` renews it."""

from __future__ import annotations

import pytest

from rigforge.lock.model import check, read
from rigforge.reproduce import record
from rigforge.stack.load import load, names

LOCKED = [name for name in names() if load(name).lock_path.exists()]

#: The layers of its image that need nothing of the stack.
DOCTOR_AND_TOP = ("images/smoke:base/layer-2", "images/smoke:base/layer-3")


def test_the_stacks_that_can_be_built_are_locked() -> None:
    assert {"smoke", "debian-12"} <= set(LOCKED)


@pytest.mark.parametrize("name", LOCKED)
def test_the_lock_fits_its_stack(name: str) -> None:
    stack = load(name)
    check(read(stack.lock_path), stack, stack.lock_path)


def test_the_digests_on_record_are_of_one_source() -> None:
    """Those of smoke are compared with builds; what both stacks share tells of debian-12's that they are as new."""
    smoke, full = (record.read(record.path(load(name).lock_path)) for name in ("smoke", "debian-12"))
    above_base = {digest for name, digest in smoke.items() if name in DOCTOR_AND_TOP}
    assert len(above_base) == 2
    assert above_base < {digest for name, digest in full.items() if name.startswith("images/debian-12:base/")}
