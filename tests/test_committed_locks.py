"""A stack that is locked is locked as it is now; `invoke lock --stack S` renews it."""

from __future__ import annotations

import pytest

from rigforge.lock.model import check, read
from rigforge.stack.load import load, names

LOCKED = [name for name in names() if load(name).lock_path.exists()]


def test_the_stacks_that_can_be_built_are_locked() -> None:
    assert {"smoke", "debian-12"} <= set(LOCKED)


@pytest.mark.parametrize("name", LOCKED)
def test_the_lock_fits_its_stack(name: str) -> None:
    stack = load(name)
    check(read(stack.lock_path), stack, stack.lock_path)
