"""Licences as packages and wheels write them, and as SPDX names them."""

from __future__ import annotations

import tomllib
from email.parser import HeaderParser
from pathlib import Path

import pytest
from cyclonedx.spdx import is_expression

from rigforge.attest import licences
from rigforge.attest.licences import Licence, of_copyright, of_metadata, of_package, of_wheels, together
from tests.attest.built_layers import lay

HEADER = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"


def copyright_file(*synopses: str) -> str:
    paragraphs = [f"Files: {number}/*\nCopyright: somebody\nLicense: {one}\n" for number, one in enumerate(synopses)]
    return "\n".join([HEADER, *paragraphs, "License: Unused\n Text of a licence that no file has.\n"])


def wheel(*lines: str) -> tuple[Licence, ...]:
    return of_metadata(HeaderParser().parsestr("\n".join(["Metadata-Version: 2.1", "Name: x", *lines, "", "Text"])))


@pytest.mark.parametrize(
    ("synopsis", "expected"),
    [
        ("GPL-2+", "GPL-2.0-or-later"),
        ("expat", "MIT"),
        ("BSD-3-clause", "BSD-3-Clause"),
        ("GPL-1+ or Artistic", "GPL-1.0-or-later OR Artistic-1.0-Perl"),
        ("GPL-2+ and Expat or ISC", "GPL-2.0-or-later AND MIT OR ISC"),
        ("GPL-1+ or Artistic, and Expat", "(GPL-1.0-or-later OR Artistic-1.0-Perl) AND MIT"),
        ("GPL-2 with Linux-syscall-note exception", "GPL-2.0-only WITH Linux-syscall-note"),
    ],
)
def test_short_names_become_spdx_expressions(synopsis: str, expected: str) -> None:
    (found,) = of_copyright(copyright_file(synopsis))
    assert found == Licence(expected, True)
    assert is_expression(found.name)


@pytest.mark.parametrize(
    "synopsis",
    ["public-domain", "GPL-2+ with OpenSSL exception", "BSD-3-clause and Weird-1", "ISC, or Expat, and Zlib"],
)
def test_what_spdx_does_not_know_keeps_its_name(synopsis: str) -> None:
    assert of_copyright(copyright_file(synopsis)) == (Licence(synopsis, False),)


@pytest.mark.parametrize("synopsis", ["Permission is hereby granted, free of charge, to any person", ""])
def test_text_in_place_of_a_short_name_is_no_name(synopsis: str) -> None:
    assert of_copyright(copyright_file(synopsis)) == (Licence("other", False),)


def test_each_licence_of_a_package_counts_once_and_unused_ones_do_not() -> None:
    assert of_copyright(copyright_file("ISC", "GPL-2+", "ISC")) == (
        Licence("GPL-2.0-or-later", True),
        Licence("ISC", True),
    )


def test_a_plain_copyright_file_names_the_licences_that_it_refers_to() -> None:
    text = "On Debian systems, see /usr/share/common-licenses/LGPL-2.1, or `/usr/share/common-licenses/Apache-2.0'."
    assert of_copyright(text) == (Licence("Apache-2.0", True), Licence("LGPL-2.1", False))


def test_a_copyright_file_that_refers_to_none_leaves_the_licence_open() -> None:
    assert of_copyright("You may do with it as you like.\n") == ()
    assert of_copyright("") == ()


def test_a_copyright_file_is_found_through_links_between_layers(tmp_path: Path) -> None:
    upper, lower = tmp_path / "upper", tmp_path / "lower"
    lay(lower, {"usr/share/doc/gcc-12-base/copyright": copyright_file("ISC")})
    (upper / "usr/share/doc").mkdir(parents=True)
    (upper / "usr/share/doc/libgcc-s1").symlink_to("gcc-12-base")
    assert of_package("libgcc-s1", [upper, lower]) == (Licence("ISC", True),)
    assert of_package("nothing", [upper, lower]) == ()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["License-Expression: Apache-2.0 OR BSD-2-Clause", "License: MIT"], ("Apache-2.0 OR BSD-2-Clause", True)),
        (["License-Expression: LicenseRef-NVIDIA-Proprietary"], ("LicenseRef-NVIDIA-Proprietary", False)),
        (["License: mit"], ("MIT", True)),
        (["License: BSD 3-Clause License"], ("BSD-3-Clause", True)),
        (["License: NVIDIA Proprietary Software"], ("NVIDIA Proprietary Software", False)),
        (["License: UNKNOWN", "Classifier: License :: OSI Approved :: ISC License (ISCL)"], ("ISC", True)),
        (["License: Copyright", " and much more", "Classifier: License :: OSI Approved :: MIT License"], ("MIT", True)),
        (
            ["Classifier: License :: OSI Approved", "Classifier: License :: OSI Approved :: BSD License"],
            ("BSD License", False),
        ),
    ],
)
def test_the_licence_of_a_wheel_is_its_expression_or_name_or_classifier(
    lines: list[str], expected: tuple[str, bool]
) -> None:
    assert wheel(*lines) == (Licence(*expected),)


def test_a_wheel_without_a_licence_has_none() -> None:
    assert wheel("Classifier: Programming Language :: Python") == ()


def test_wheels_are_known_by_their_canonical_names(tmp_path: Path) -> None:
    lay(tmp_path, {"Foo_Bar-1.dist-info/METADATA": "Metadata-Version: 2.4\nName: Foo_Bar\nLicense-Expression: ISC\n"})
    assert of_wheels(tmp_path) == {"foo-bar": (Licence("ISC", True),)}


def test_licences_of_spdx_become_one_expression() -> None:
    both = Licence("MIT OR ISC", True)
    assert together([Licence("Zlib", True), both, both]) == (Licence("(MIT OR ISC) AND Zlib", True),)
    assert together([both]) == (both,)
    assert together([]) == ()


def test_with_one_that_spdx_lacks_licences_stay_apart() -> None:
    mixed = (Licence("MIT", True), Licence("public-domain", False))
    assert together(reversed(mixed)) == mixed


def test_the_table_holds_only_what_spdx_knows() -> None:
    tables = tomllib.loads(Path(licences.__file__).with_suffix(".toml").read_text())
    assert [spdx for table in tables.values() for spdx in table.values() if not is_expression(spdx)] == []
