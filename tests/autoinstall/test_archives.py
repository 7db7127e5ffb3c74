"""The section `apt`: the verdicts are those of subiquity's server, 24.04.4.1 and 26.04.1."""

from __future__ import annotations

import pytest
import yaml

from rigforge.autoinstall.subiquity.archives import errors

REFUSED = [
    ("primary[0]", "primary: ['http://mirror.lab/ubuntu']"),
    ("primary[0]", "primary: [country-mirror]"),
    ("primary[0]", "primary: [{uri: 'http://x'}]"),
    ("primary[0]", "primary: [{arches: , uri: 'http://x'}]"),
    ("primary[1]", "primary: [{arches: [arm64], uri: 'http://x'}, {uri: 'http://y'}]"),
    (
        "mirror-selection.primary[1].search",
        "mirror-selection: {primary: [country-mirror, {uri: 'http://x', search: y}]}",
    ),
]

ACCEPTED = [
    "primary: []",
    "primary: [{arches: [default], uri: 'http://x'}]",
    "primary: [{arches: amd64, uri: 'http://x'}]",
    "primary: [{arches: [amd64], uri: 'http://x'}, {uri: 'http://y'}]",
    "mirror-selection: {primary: [country-mirror, {uri: 'http://x', arches: [amd64]}]}",
    "mirror-selection: {}",
]


@pytest.mark.parametrize(("key", "text"), REFUSED)
def test_an_archive_that_the_installer_cannot_read_is_refused_with_its_cure(key: str, text: str) -> None:
    (found,) = errors(yaml.safe_load(text))
    assert (found.level, found.key) == ("error", f"apt.{key}") and found.hint


@pytest.mark.parametrize("text", ACCEPTED)
def test_an_archive_that_it_can_read_is_accepted(text: str) -> None:
    assert list(errors(yaml.safe_load(text))) == []


def test_the_cure_of_the_older_form_is_what_was_meant() -> None:
    (mirror,) = errors({"primary": ["country-mirror"]})
    (address,) = errors({"primary": ["http://x"]})
    assert "mirror-selection" in mirror.hint
    assert address.hint == "{arches: [default], uri: http://x}"
