"""The one filter for text of others (machines, mirrors, packages) on its way to a terminal, a page, a log or JSON.

Python's own library only: the doctor and `rigforge.connect` have nothing else.
"""

from __future__ import annotations

import unicodedata
from typing import Any

#: Categories of Unicode that are no text: controls (C0, C1, DEL), formatting (BiDi, invisible, tags), surrogates,
#: separators of lines and paragraphs.
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}

#: What lies between lines and columns.
_LAYOUT = "\n\t"


def plain(text: str) -> str:
    r"""Returns a text with everything visible that a terminal or a browser would obey; lines and tabs stay.

    >>> print(plain("\x1b]52;c;cm0gLXJm\x07 \u202etxt.exe \x9b31m"))
    \x1b]52;c;cm0gLXJm\x07 \u202etxt.exe \x9b31m
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(letter) if letter not in _LAYOUT else letter for letter in text)


def line(text: str) -> str:
    r"""Returns a text as one line, so that it cannot pretend to be the next one.

    >>> line("no\n✓ ssh  keys only")
    'no\\n✓ ssh  keys only'
    """
    return plain(text).replace("\n", "\\n").replace("\t", " ")


def in_page(value: object) -> object:
    """Returns what a page's template shows of a value: text plain, and markup, which is the program's own, as it is."""
    return plain(value) if type(value) is str else value


def within(value: Any) -> Any:
    """Returns a value of JSON's types with every text in it plain, keys too."""
    match value:
        case str():
            return plain(value)
        case dict():
            return {within(key): within(item) for key, item in value.items()}
        case list() | tuple():
            return [within(item) for item in value]
    return value


def _visible(letter: str) -> str:
    if unicodedata.category(letter) not in _UNSEEN:
        return letter
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
