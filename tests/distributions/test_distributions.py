"""Distributions: from which archives their machines are updated."""

from __future__ import annotations

import pytest
import yaml

from rigforge import distributions
from rigforge.stack.load import load
from rigforge.stack.model import Stack
from rigforge.stack.sections import Archive


def sources_list(stack: Stack) -> str:
    """The list in cloud-init's configuration of a Debian machine."""
    return str(yaml.safe_load(distributions.of(stack).sources)["apt"]["sources_list"])


def test_a_machine_has_its_stacks_archives_with_all_components_from_cloud_inits_mirrors() -> None:
    components = "main contrib non-free non-free-firmware"
    assert sources_list(load("debian-12")).splitlines() == [
        f"deb $MIRROR bookworm {components}",
        f"deb $MIRROR bookworm-updates {components}",
        f"deb $SECURITY bookworm-security {components}",
    ]


def test_an_archive_that_cloud_init_knows_no_mirror_of_is_left_out() -> None:
    stack = load("debian-12")
    nvidia = Archive(role="nvidia", suite="/", keyring="cuda-archive-keyring.gpg")
    more = stack.model_copy(update={"archives": (*stack.archives, nvidia)})
    assert sources_list(more) == sources_list(stack)


@pytest.mark.parametrize("release", ["22.04", "24.04", "26.04"])
def test_curtin_finds_archives_to_fill_in_mirrors_for(release: str) -> None:
    stack = load(f"ubuntu-{release}")
    suite, components = stack.system.suite, "main restricted universe multiverse"
    distribution = distributions.of(stack)
    assert distribution.sources_file == "etc/apt/sources.list"
    assert distribution.sources.splitlines() == [
        f"deb $MIRROR {suite} {components}",
        f"deb $MIRROR {suite}-updates {components}",
        f"deb $SECURITY {suite}-security {components}",
    ]


def test_cloud_init_writes_the_list_of_a_debian_machine() -> None:
    stack = load("debian-12")
    distribution = distributions.of(stack)
    assert distribution.sources_file.startswith("etc/cloud/cloud.cfg.d/")
    assert yaml.safe_load(distribution.sources)["apt"] == {
        "preserve_sources_list": False,
        "sources_list": sources_list(stack),
    }
