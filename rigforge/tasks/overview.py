"""The tasks and their options in words, by Python alone: what bootstrap answers before it has made the environment."""

from __future__ import annotations

import inspect
import runpy
import shutil
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]

#: What the modules of tasks import of Invoke when they are loaded.
_INVOKE = ("", ".collection", ".context", ".exceptions", ".loader", ".program", ".tasks")

#: Columns of a line, at most.
_WIDTH = 100


def main(arguments: Sequence[str]) -> int:
    """Prints what the arguments ask for; returns the exit code, 2 for a task that is none."""
    words = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    sys.path.insert(0, str(PROJECT))
    tasks = _tasks()
    names = [word for word in words if not word.startswith("-")]
    if {"--version", "-V"} & set(words):
        from rigforge import __version__

        print(f"Rigforge {__version__}")
    elif "--complete" in words or any(word.startswith("--print-completion-script") for word in words):
        print("error: completion needs Rigforge's environment\nhint: ./bootstrap stacks makes it", file=sys.stderr)
        return 1
    elif names and {"--help", "-h"} & set(words):
        if names[0] not in tasks:
            from rigforge.rules.nearest import nearest

            suggestion = "".join(f', did you mean "{name}"?' for name in nearest(names[0], tasks))
            print(f'error: there is no task "{names[0]}"{suggestion}\nhint: tasks: {", ".join(tasks)}', file=sys.stderr)
            return 2
        print("\n".join(_help(names[0], tasks[names[0]])))
    else:
        print("\n".join(_list(tasks)))
    return 0


def _tasks() -> dict[str, Any]:
    """Returns the tasks by name, each with `body` and the `help` of its parameters."""
    for name in _INVOKE:
        module = ModuleType(f"invoke{name}")
        vars(module)["__getattr__"] = lambda name: type(name, (), {})
        sys.modules[module.__name__] = module
    vars(sys.modules["invoke.tasks"])["task"] = _task
    names = runpy.run_path(str(PROJECT / "tasks.py"))
    return {name.replace("_", "-"): names[name] for name in sorted(names["__all__"])}


def _task(**options: Any) -> Callable[[Callable[..., None]], SimpleNamespace]:
    return lambda body: SimpleNamespace(body=body, help=options.get("help", {}))


def _list(tasks: dict[str, Any]) -> Iterator[str]:
    yield "Usage: ./bootstrap TASK [OPTIONS], ./bootstrap TASK --help"
    yield ""
    yield "Subcommands:"
    yield ""
    rows = {
        name: (inspect.getdoc(task.body) or "").partition("\n\n")[0].replace("\n", " ") for name, task in tasks.items()
    }
    yield from _columns(rows)


def _help(name: str, task: Any) -> Iterator[str]:
    yield f"Usage: ./bootstrap {name} [--options]"
    yield ""
    yield _text(task)
    yield ""
    _, *parameters = inspect.signature(task.body).parameters.values()
    if not parameters:
        return
    yield "Options:"
    yield ""
    texts = {key.rstrip("_").replace("_", "-"): text for key, text in task.help.items()}
    yield from _columns({_option(parameter): texts[_name(parameter)] for parameter in sorted(parameters, key=_name)})


def _text(task: Any) -> str:
    return inspect.getdoc(task.body) or ""


def _name(parameter: inspect.Parameter) -> str:
    return parameter.name.rstrip("_").replace("_", "-")


def _option(parameter: inspect.Parameter) -> str:
    if not isinstance(parameter.default, bool):
        return f"--{_name(parameter)}=STRING"
    return f"--[no-]{_name(parameter)}" if parameter.default else f"--{_name(parameter)}"


def _columns(rows: dict[str, str]) -> Iterator[str]:
    margin = 2 + max(map(len, rows)) + 3
    width = min(_WIDTH, shutil.get_terminal_size().columns) - margin
    for left, right in rows.items():
        first, *more = textwrap.wrap(right, max(width, 20), break_long_words=False) or [""]
        yield f"  {left}".ljust(margin) + first
        yield from (" " * margin + line for line in more)


if __name__ == "__main__":
    # `./bootstrap | head` has read enough.
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main(sys.argv[1:]))
