"""Debian: from which archives its machines are updated."""

from __future__ import annotations

from rigforge.distributions import debian
from rigforge.stack.load import load
from rigforge.stack.sections import Archive


def test_a_machine_has_its_stacks_archives_with_all_components_from_cloud_inits_mirrors() -> None:
    components = "main contrib non-free non-free-firmware"
    assert debian.sources_list(load("debian-12")).splitlines() == [
        f"deb $MIRROR bookworm {components}",
        f"deb $MIRROR bookworm-updates {components}",
        f"deb $SECURITY bookworm-security {components}",
    ]


def test_an_archive_that_cloud_init_knows_no_mirror_of_is_left_out() -> None:
    stack = load("debian-12")
    nvidia = Archive(role="nvidia", suite="/", keyring="cuda-archive-keyring.gpg")
    more = stack.model_copy(update={"archives": (*stack.archives, nvidia)})
    assert debian.sources_list(more) == debian.sources_list(stack)
