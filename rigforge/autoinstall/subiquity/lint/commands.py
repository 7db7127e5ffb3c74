"""Commands, and which of them do not run in the installed system though they were meant to."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rigforge.autoinstall.subiquity.document import ENDS, NOT_DONE, Finding, table
from rigforge.autoinstall.subiquity.lint.finding import items, warning

_IN_TARGET = "curtin in-target -- sh -c '…'"

#: What is wrong with a command: message, cure, harm.
_Fault = tuple[str, str, int]


@dataclass(frozen=True)
class _Piece:
    """One command of a line of shell: what joins it to the one before, its words, and the files that it writes."""

    joint: str
    words: tuple[str, ...]
    writes: tuple[str, ...]

    def in_target(self) -> bool:
        return "in-target" in self.words

    def aims_at_target(self) -> bool:
        return self.in_target() or any("/target" in word or "TARGET_MOUNT_POINT" in word for word in self.words)


def warnings(sections: dict[str, Any]) -> Iterator[Finding]:
    """Yields what is wrong with commands, each fault once, at the first command that has it."""
    for name in ("early-commands", "late-commands", "error-commands"):
        faulty: dict[_Fault, list[str]] = defaultdict(list)
        for number, command in enumerate(items(sections.get(name))):
            fault = _of_list(list(map(str, command))) if isinstance(command, list) else None
            if name == "late-commands" and isinstance(command, str):
                fault = _of_shell(command)
            if fault:
                faulty[fault].append(f"{name}[{number}]")
        for (message, hint, harm), keys in faulty.items():
            also = f" (as do {', '.join(keys[1:])})" if len(keys) > 1 else ""
            yield warning(keys[0], f"{message}{also}", hint, harm)


def _of_list(words: Sequence[str]) -> _Fault | None:
    if len(words) == 1 and " " in words[0]:
        return "a list is one word each, and no shell", "make it a string, or split it", ENDS
    for operator in ("|", "||", "&&", ";", ">", ">>"):
        if operator in words:
            return f"a list is no shell: {operator} is a word like the others", "make it a string", NOT_DONE
    return (_options(words) or _builtin(words)) if "in-target" in words else None


def _of_shell(text: str) -> _Fault | None:
    lines = text.replace("\\\n", " ").strip().splitlines()
    for line in lines:
        pieces = _pieces(line)
        # A script of several lines may well prepare the installer itself.
        if len(lines) == 1 or any(piece.in_target() for piece in pieces):
            if "<<<" in line and any(piece.in_target() for piece in pieces) and _bare(line, "<<<"):
                return "sh knows no <<<: the command fails, and the installation ends", "echo … | COMMAND", ENDS
            for piece in filter(_Piece.in_target, pieces):
                if fault := _options(piece.words) or _builtin(piece.words):
                    return fault
            if fault := _astray(pieces):
                return fault
    return None


def _astray(pieces: Sequence[_Piece]) -> _Fault | None:
    """Returns what is wrong where a part of a line changes the installer instead of the installed system."""
    joined = any(piece.aims_at_target() for piece in pieces)
    for piece in pieces:
        astray = [file for file in piece.writes if _of_system(file)]
        operator = ">" if astray else piece.joint
        if astray or (not piece.aims_at_target() and _changes(piece.words)):
            if joined and operator:
                return (
                    f"what follows {operator} happens in the installer, not in the installed system",
                    _IN_TARGET,
                    NOT_DONE,
                )
            hint = f"echo … > /target{astray[0]}" if astray else "curtin in-target -- COMMAND"
            return "it runs in the installer, not in the installed system", hint, NOT_DONE
    return None


def _changes(words: Sequence[str]) -> bool:
    words = [word for word in words if not re.match(r"\w+=", word) and word != "sudo"]
    if not words:
        return False
    lists = table("lint")["lists"]
    if words[0] == "systemctl":
        return bool({"enable", "disable", "mask", "unmask", "set-default"} & set(words))
    return words[0] in lists["changes"] or (words[0] in lists["changes_files"] and any(map(_of_system, words[1:])))


def _of_system(file: str) -> bool:
    return any(file == folder or file.startswith(f"{folder}/") for folder in table("lint")["lists"]["system_folders"])


def _options(words: Sequence[str]) -> _Fault | None:
    """Returns what is wrong where curtin would take the options of the command for its own, and end."""
    tail = _after_in_target(words)
    if tail[:1] != ["--"] and any(word.startswith("-") for word in tail):
        message = "curtin takes the command's options for its own, and the installation ends"
        return message, "curtin in-target -- COMMAND", ENDS
    return None


def _builtin(words: Sequence[str]) -> _Fault | None:
    """Returns what is wrong where the command is no program."""
    command = next((word for word in _after_in_target(words) if word != "--"), "")
    if command in table("lint")["lists"]["builtins"]:
        message = f"{command} is no program, only a shell has it: the command fails, and the installation ends"
        return message, _IN_TARGET, ENDS
    return None


def _after_in_target(words: Sequence[str]) -> list[str]:
    """Returns what follows in-target and its own options."""
    tail = list(words[words.index("in-target") + 1 :])
    while tail and tail[0].startswith("-") and tail[0] != "--":
        del tail[: 2 if tail[0] in ("-t", "--target") else 1]
    return tail


def _bare(line: str, operator: str) -> bool:
    """Tells whether an operator stands outside of quotes."""
    try:
        return operator in shlex.shlex(line, posix=True, punctuation_chars=True)
    except ValueError:
        return False


def _pieces(line: str) -> list[_Piece]:
    """Returns the commands of a line; none where it is none by itself, such as the middle of a quoted text."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        tokens = list(lexer)
    except ValueError:
        return []
    pieces, joint, words, writes = [], "", list[str](), list[str]()
    previous = ""
    for token in tokens:
        if token in ("|", "||", "&&", ";", "&"):
            pieces.append(_Piece(joint, tuple(words), tuple(writes)))
            joint, words, writes = token, [], []
        elif previous in (">", ">>"):
            writes.append(token)
        elif token not in (">", ">>"):
            words.append(token)
        previous = token
    return [*pieces, _Piece(joint, tuple(words), tuple(writes))]
