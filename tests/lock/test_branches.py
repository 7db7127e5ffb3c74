"""Branches of the driver on Ubuntu: those that have ended, those that are not there, and why."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lock.ubuntu_archive import DRIVERS
from tests.lock.ubuntu_desk import Desk, desk, wish
from tests.sources.signed_archive import key

__all__ = ["desk", "key"]

DeskOf = Callable[[str], Desk]


@pytest.mark.parametrize("what", ["modules", "user space", "user space, and the modules are gone"])
def test_a_branch_that_has_ended_is_told_with_the_one_it_became_and_those_that_there_are(
    desk: DeskOf, what: str
) -> None:
    here = desk("noble")
    here.write(more=wish("driver", version="570-server-open"))
    here.ubuntu.together()
    if what == "modules":
        here.ubuntu.driver("570-server", version="570.195.03")
        here.ubuntu.modules_ended("570-server-open", "580-server-open")
    else:
        here.ubuntu.driver_ended("570-server", "580-server", "570.211.01")
    if what == "user space":
        here.ubuntu.modules("570-server-open", 88, version="570.211.01")
    error = here.refused()
    assert error.message == (
        f'{here.file}: [driver] version = "570-server-open": the branch has ended, '
        "in the archive its packages lead to 580-server-open"
    )
    assert error.hint.startswith('set driver.version to "580-server-open"; branches with modules')
    assert error.hint.endswith("all cards of [gpu] work with 580-server-open")


def test_a_branch_that_has_ended_twice_is_told_with_the_last(desk: DeskOf) -> None:
    here = desk("noble")
    here.write(more=wish("driver", version="555-open"))
    here.ubuntu.together()
    for branch, later in (("555-open", "560-open"), ("560-open", "570-open"), ("570-open", "580-open")):
        here.ubuntu.modules_ended(branch, later)
    here.ubuntu.modules("580-open", 88)
    assert "its packages lead to 580-open" in here.refused().message


def test_a_branch_that_is_not_there_is_told_with_those_that_are_and_drive_the_cards(desk: DeskOf) -> None:
    here = desk("noble")
    here.write(more=wish("driver", version="470-open") + wish("gpu", models=["RTX 5090", "RTX 3090"]))
    here.ubuntu.kernel(88)
    for branch, version in (
        ("470", "470.256.02"),
        ("535-server", "535.309.01"),
        ("580-server", DRIVERS["580"]),
        ("580", DRIVERS["580"]),
    ):
        here.ubuntu.driver(branch, version=version)
        here.ubuntu.modules(branch, 88, version=version)
    for branch in ("580-open", "580-server-open"):
        here.ubuntu.modules(branch, 88)
    here.ubuntu.modules("575-open", 88, version="575.57.08")  # its user space is gone
    here.ubuntu.modules_ended("570-server", "580-server")
    error = here.refused()
    assert error.message == (
        f'{here.file}: [driver] version = "470-open": the archives have no modules of it for the kernel generic '
        "(no linux-modules-nvidia-470-open-generic)"
    )
    assert error.hint == (
        "branches with modules for the kernel generic: 470, 535-server, 580, 580-open, 580-server, 580-server-open; "
        "all cards of [gpu] work with 580-open or 580-server-open"
    )


def test_a_branch_that_there_is_for_another_kernel_is_told_so(desk: DeskOf) -> None:
    here = desk("noble")
    here.ubuntu.together()
    here.ubuntu.kernel(20, flavour="lowlatency")
    here.write(more=wish("kernel", package="linux-image-lowlatency"))
    error = here.refused()
    assert "no modules of it for the kernel lowlatency" in error.message
    assert error.message.endswith("it has some for generic")


def test_modules_that_are_only_in_proposed_are_not_there(desk: DeskOf) -> None:
    here = desk("noble")
    here.ubuntu.kernel(88)
    here.ubuntu.driver("580-server")
    here.ubuntu.modules("580-server-open", 88, pocket="proposed")
    here.ubuntu.archive.publish("noble-proposed", here.key)
    assert "the archives have no modules of it" in here.refused().message


def test_archives_without_the_component_restricted_are_told(desk: DeskOf) -> None:
    here = desk("noble")
    here.ubuntu.together()
    here.write(components='["main", "universe"]')
    error = here.refused()
    assert (
        "in the component restricted, and the [[archives]] noble and noble-updates and noble-security" in error.message
    )
    assert error.hint == 'add "restricted" to their components'


def test_a_branch_in_a_component_that_the_archives_are_without_may_be_the_one(desk: DeskOf) -> None:
    """NVIDIA's new-feature branches are in multiverse."""
    here = desk("noble")
    here.ubuntu.together()
    here.write(components='["main", "restricted", "universe"]', more=wish("driver", version="610-open"))
    assert "multiverse, which noble and noble-updates and noble-security are without" in here.refused().hint
