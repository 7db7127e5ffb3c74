"""The boundary around what reads other people's text: whatever a parser raises, the user gets our error."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rigforge import console
from rigforge.errors import RigforgeError

#: Characters of a library's words that a message has: some quote all that they were given.
_LONGEST = 500


@contextmanager
def boundary(what: str, hint: str = "") -> Iterator[None]:
    """Turns any error of a library in the block into RigforgeError, which begins with `what`.

    Parsers raise more than they document: of huge numbers, deep nesting, NUL, or a value of an unexpected type.
    Errors of the operating system pass, and those that are ours already.
    """
    try:
        yield
    except (RigforgeError, OSError, MemoryError):
        raise
    except Exception as error:
        raise RigforgeError(f"{what}: {_reason(error)}", hint) from error


@contextmanager
def leaving_out(what: str | Path) -> Iterator[None]:
    """Warns of whatever goes wrong in the block, and goes on without `what`: one odd file of many ends nothing."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        console.warn(f"{what} is left out: {_reason(error)}")


def read_toml(path: Path, shown: str = "") -> dict[str, Any]:
    """Returns what a TOML file holds; messages name it as `shown`, its path where that is empty.

    Raises FileNotFoundError, and RigforgeError that names file and line where it cannot be read.
    """
    name = shown or str(path)
    try:
        with boundary(f"{name}: cannot be read"):
            return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RigforgeError(f"{name}: cannot be read: {error.strerror}") from None
    except RigforgeError as error:
        match error.__cause__:
            case tomllib.TOMLDecodeError() as cause:
                line = re.search(r"\(at line (\d+)", str(cause))
                raise RigforgeError(f"{name}{f':{line[1]}' if line else ''}: not TOML: {cause}") from None
            case UnicodeDecodeError() as cause:
                raise RigforgeError(f"{name}: not UTF-8: {cause.reason} at byte {cause.start}") from None
        raise


def path_of(text: str, where: str) -> Path:
    """Returns the path that somebody wrote, `~` as their home; `where` they wrote it is for the message.

    Raises RigforgeError for what is no path: NUL in it, or the home of a user that there is not.
    """
    with boundary(f"{where}: {text!a} is no path"):
        if "\0" in text:
            raise ValueError("it has a NUL")
        return Path(text).expanduser()


def _reason(error: Exception) -> str:
    match error:
        case RecursionError():
            return "it is nested too deeply"
        case UnicodeDecodeError():
            return f"not UTF-8: {error.reason} at byte {error.start}"
        case KeyError():
            return f"{error} is missing"
        case OSError(strerror=str(reason)):
            return reason
    return str(error).strip()[:_LONGEST] or type(error).__name__
