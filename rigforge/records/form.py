"""The forms that values of a lock have: none of them can name a place other than its own.

What a lock, an archive's index or a page of wheels says is other people's text, and becomes the names of files in the
store, in a mirror directory and in a root. Here is the one rule for it, and `LockedFile` holds nothing that breaks it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rigforge.errors import RigforgeError

#: Bytes that no file has: 1 TB.
LARGEST = 10**12

#: Characters of a value that a message shows.
_SHOWN = 100

#: A folder or file: begins with no dot and no hyphen, so it is neither "..", nor hidden, nor an option of a program.
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.+~!%=@,:-]{0,239}"

#: In a vendored directory, DIR/stacks has the stacks themselves.
_ROLE = r"(?!stacks(?![a-z0-9-]))[a-z][a-z0-9-]{0,62}"


@dataclass(frozen=True)
class Form:
    """What a value matches as a whole, and what that is in words."""

    pattern: str
    meaning: str

    def check(self, key: str, value: object) -> None:
        """Raises RigforgeError that names `key` where `value` is no text of this form."""
        if not (isinstance(value, str) and re.fullmatch(self.pattern, value)):
            raise RigforgeError(f"{key}: must be {self.meaning}, not {ascii(value)[:_SHOWN]}")


SHA256 = Form(r"[0-9a-f]{64}", "a sha256, 64 digits of 0-9 and a-f")
NAME = Form(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}", "the name of a package")
VERSION = Form(r"[A-Za-z0-9_][A-Za-z0-9_.+~:!-]{0,199}", "a version")
ENVIRONMENT = Form(r"([A-Za-z0-9_][A-Za-z0-9_.-]{0,99})?", "the name of a conda environment")
ROLE = Form(_ROLE, "the role of an archive")
SUITE = Form(rf"/|({_PART}/)*{_PART}", 'a suite, or "/"')

#: Where a file is in its archive, by the kind of file.
PLACES = {
    "deb": Form(
        rf"(?=.{{1,1000}}\Z){_ROLE}:({_PART}/)*{_PART}(?<=\.deb)", "ROLE:FOLDER/NAME.deb, all below its archive"
    ),
    "wheel": Form(rf"{_ROLE}:{_PART}(?<=\.whl)", "ROLE:NAME.whl, without folders"),
    "conda": Form(
        rf"{_ROLE}:(linux-64|noarch)/{_PART}((?<=\.conda)|(?<=\.tar\.bz2))",
        "ROLE:linux-64/NAME.conda (or noarch, or .tar.bz2)",
    ),
    "iso": Form(rf"{_ROLE}:({_PART}/){{0,9}}{_PART}(?<=\.iso)", "ROLE:FOLDER/NAME.iso, all below its archive"),
}

#: What `Path / path` stays below.
RELATIVE = Form(r"(?!/)(?!(.*/)?\.\.?(/|$))[^\0-\x1f\x7f\\]+", "a path below the directory")


def check_file(kind: str, name: str, version: str, file: str, size: int, sha256: str) -> None:
    """Raises RigforgeError that names file and key where a value of one file, of a kind of `PLACES`, has not its form.

    `size` is in bytes.
    """
    NAME.check("name", name)
    with said_by(name):
        VERSION.check("version", version)
        PLACES[kind].check("file", file)
        SHA256.check("sha256", sha256)
        if not 0 <= size < LARGEST:
            raise RigforgeError(f"size: must be bytes, fewer than {LARGEST}")


@contextmanager
def said_by(source: str, hint: str = "") -> Iterator[None]:
    """Names in errors of the block who said what is wrong: a file and the key in it, or an archive and a package."""
    try:
        yield
    except RigforgeError as error:
        raise RigforgeError(f"{source}: {error.message}", hint or error.hint) from error
