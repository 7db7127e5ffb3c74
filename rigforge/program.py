"""The command line as people type it: what was probably meant, and what a shell may complete it to."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence

from invoke.exceptions import Exit, ParseError
from invoke.program import Program

from rigforge import paths
from rigforge.errors import UsageError
from rigforge.rules.nearest import nearest

#: Options whose values can be told without asking anybody.
STACK, GPU = "--stack", "--gpu"

#: Makers' words, which nobody has to type.
_BRAND = re.compile(r"^(?:NVIDIA |GeForce |Quadro |Tesla )+")


class Rigforge(Program):
    """Invoke's program with errors of ours, and with the names of stacks and cards among its completions."""

    def parse_tasks(self) -> None:
        """Reads tasks and options from the command line. Raises UsageError for one that there is not."""
        try:
            super().parse_tasks()
        except ParseError as error:
            self._explain(error)
            raise

    def parse_cleanup(self) -> None:
        """Prints help, lists and completions where they are asked for. Raises UsageError for a task that is none."""
        if self.args.complete.value and (candidates := values(self.core.remainder.split())):
            print(*candidates, sep="\n")
            raise Exit
        try:
            super().parse_cleanup()
        except ParseError as error:
            self._explain(error)
            raise

    def _explain(self, error: ParseError) -> None:
        if not (match := re.fullmatch(r"No idea what '(.*)' is!", str(error), re.DOTALL)):
            return
        word = match[1]
        if word.startswith("-"):
            task = error.context.name if error.context else None
            flags = sorted(error.context.flag_names() if error.context else self.initial_context.flag_names())
            options = [flag for flag in flags if flag.startswith("--")]
            kind, names = "option", options
            hint = f"options of {task}: {', '.join(options)}" if task else f"options: {', '.join(options)}"
        else:
            kind, names = "task", sorted(self.collection.task_names)
            hint = f"tasks: {', '.join(names)}"
        near = nearest(word, names)
        suggestion = f', did you mean "{near[0]}"?' if near else ""
        raise UsageError(f'there is no {kind} "{word}"{suggestion}', hint) from error


def values(words: Sequence[str]) -> list[str]:
    """Returns the values that complete a command line whose last word, empty or begun, is a stack's or card's name."""
    # bash takes `=` for a word of its own.
    words = ["", "", *(word for word in words if word != "=")]
    option, equals, _ = words[-1].partition("=")
    if option not in (STACK, GPU):
        option = words[-2]
    names = sorted(set({STACK: stacks, GPU: cards}[option]())) if option in (STACK, GPU) else []
    # A whole name is followed by another word.
    return [] if words[-1] in names else [f"{option}=" * bool(equals) + name for name in names]


def stacks() -> Iterator[str]:
    """Yields the names of the stacks that come with Rigforge, without reading them."""
    return (path.stem for path in (paths.SHARE / "stacks").glob("*.toml") if path.name != "preference.toml")


def cards() -> Iterator[str]:
    """Yields the cards of compat/gpus.toml by names without spaces, which shells take as they are: RTX-5090."""
    with (paths.PACKAGE / "compat/gpus.toml").open("rb") as table:
        return (re.sub(r"[ ()]+", "-", _BRAND.sub("", row["name"])).strip("-") for row in tomllib.load(table)["gpu"])
