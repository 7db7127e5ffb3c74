"""Sizes: what curtin's reader answers to each, 8bc0121d and ab0c9258."""

from __future__ import annotations

import pytest

from rigforge.autoinstall.subiquity.sizes import NoSize, share, size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("512M", 512 << 20),
        ("512MB", 512 << 20),
        ("512 M", 512 << 20),
        (" 20G", 20 << 30),
        ("1.5G", 3 << 29),
        ("1T", 1 << 40),
        ("20B", 20),
        ("1e3", 1000),
        ("0", 0),
    ],
)
def test_a_size_is_a_number_and_a_unit_in_upper_case(text: str, expected: int) -> None:
    assert size(text) == expected


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("512m", "did you mean 512M?"),
        ("20gb", "did you mean 20G?"),
        ("512MiB", "did you mean 512M?"),
        ("20 GiB", "did you mean 20G?"),
        ("-1", "the number -1"),
        ("-1M", "-1, a number"),
        ("largest", "such as 512M"),
        ("1P", "such as 512M"),
        ("", "such as 512M"),
        ("inf", "such as 512M"),
        ("0.3B", "such as 512M"),
    ],
)
def test_what_is_no_size_has_its_cure(text: str, cure: str) -> None:
    with pytest.raises(NoSize) as caught:
        size(text)
    assert cure.replace("the number -1", "-1, a number") in caught.value.hint


def test_a_share_is_a_whole_number() -> None:
    assert (share("50%"), share("150 %"), share("-50%")) == (50, 150, -50)
    for text in ("5.5%", "%", "5%0"):
        with pytest.raises(NoSize):
            share(text)
