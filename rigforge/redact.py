"""The one place that takes secrets out of what is shown and written: messages, reports of bugs, the lock of a build."""

from __future__ import annotations

import re

#: Stands for what is not shown.
HIDDEN = "***"

# What they look for begins where a word does: else the time would grow with the square of a word's length.

#: The key of a setting that is a secret, and that its value follows, unless that is in a file (`@FILE`).
_KEY = r"(?:[\w.-]*\.)?(?:passphrase|password|password_hash|token)\s*=\s*"

#: `--set storage.passphrase=…` and its like, as words of a command line (quoted by a shell or not) or of a message.
_SETTING = re.compile(rf"""(?<![\w.-])({_KEY})(?!@)('[^']*'|"[^"]*"|[^\s'"]+)""", re.IGNORECASE)

#: The same as one word of a command line.
_WORD = re.compile(rf"^((?:--set=)?{_KEY})(?!@).+$", re.DOTALL)

#: The user's part of an address: of http and https all of it (a token may be the name), of others a password.
_USER = re.compile(
    r"\b(https?://)[^/\s@'\"]*@|(?<![a-z0-9+.-])([a-z][a-z0-9+.-]*://[^/\s@:'\"]*:)[^/\s@'\"]*@", re.IGNORECASE
)


def redacted(text: str) -> str:
    """Returns a text without passwords in addresses, and without the values of settings that are secrets.

    >>> redacted("Max retries: https://ada:geheim@mirror.lab/debian; --set storage.passphrase=geheim")
    'Max retries: https://***@mirror.lab/debian; --set storage.passphrase=***'
    """
    return _SETTING.sub(rf"\1{HIDDEN}", _USER.sub(lambda found: f"{found[1] or found[2]}{HIDDEN}@", text))


def command(words: list[str]) -> list[str]:
    """Returns a command line without secrets; a value that has blanks in it is still one word here.

    >>> command(["rigforge", "--set", "storage.passphrase=two words", "--set=storage.passphrase=x"])
    ['rigforge', '--set', 'storage.passphrase=***', '--set=storage.passphrase=***']
    """
    return [_WORD.sub(rf"\1{HIDDEN}", redacted(word)) for word in words]
