"""The `rigforge` command: the same tasks as `invoke` in the checkout, and the exit codes of both.

0 done, 1 the user's input or environment is wrong, 2 usage, 130 interrupted, 70 a bug.
"""

from __future__ import annotations

import errno
import functools
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from invoke.collection import Collection
from invoke.exceptions import ParseError
from invoke.loader import FilesystemLoader
from invoke.tasks import Task
from invoke.tasks import task as invoke_task

from rigforge import __version__, paths
from rigforge.errors import RigforgeError

if TYPE_CHECKING:
    from rigforge.program import Rigforge

INTERRUPTED = 130
BROKEN_PIPE = 141  # 128 + SIGPIPE, which Windows does not have
BUG = 70  # EX_SOFTWARE of sysexits.h

#: Tasks for who changes Rigforge: a wheel has neither tests nor requirements.
OF_CHECKOUTS = ("evidence", "lint", "requirements", "test")

#: Errors of the operating system that are about this machine and not about Rigforge.
_ENVIRONMENT = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENOMEM}


def main() -> None:
    """Runs the task that the command line names, and ends the process with one of the exit codes above."""
    for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores SIGHUP
            signal.signal(number, _end)
    try:
        with exit_codes():
            _program().run(_with_help_first(sys.argv))
    except SystemExit as end:
        # Invoke ends with 1 for these two; what it was handling tells them apart.
        cause = type(end.__context__)
        raise SystemExit({ParseError: 2, KeyboardInterrupt: INTERRUPTED}.get(cause, end.code)) from None


def task(**options: Any) -> Callable[[Callable[..., None]], Task[Any]]:
    """Makes an Invoke task whose errors end the process with our exit codes, under `invoke` as under `rigforge`.

    `options` are those of `invoke.task`.
    """

    def decorate(body: Callable[..., None]) -> Task[Any]:
        @functools.wraps(body)
        def guarded(*arguments: Any, **keywords: Any) -> None:
            with exit_codes():
                start = time.monotonic()
                try:
                    body(*arguments, **keywords)
                except ModuleNotFoundError as error:
                    _bootstrap(error)
                    raise
                if console := sys.modules.get("rigforge.console"):
                    console.summary(time.monotonic() - start)

        result: Task[Any] = invoke_task(**{"auto_shortflags": False, **options})(guarded)
        return result

    return decorate


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turns an exception into a message on standard error and SystemExit with its exit code."""
    try:
        yield
    except RigforgeError as error:
        _fail(error.message, error.hint)
        raise SystemExit(error.exit_code) from error
    except KeyboardInterrupt as interrupt:
        _fail("interrupted")
        raise SystemExit(INTERRUPTED) from interrupt
    except BrokenPipeError as error:
        # `rigforge --list | head` has read enough. Python would complain of the rest at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(BROKEN_PIPE) from error
    except OSError as error:
        if error.errno not in _ENVIRONMENT:
            _report_bug()
            raise SystemExit(BUG) from error
        _fail(
            f"{error.strerror}: {error.filename or paths.home()}",
            "what is done so far is kept, and the next run goes on from there "
            f"(RIGFORGE_HOME moves it; now {paths.home()})",
        )
        raise SystemExit(RigforgeError.exit_code) from error
    except Exception as error:
        _report_bug()
        raise SystemExit(BUG) from error


def _program() -> Rigforge:
    from rigforge.program import Rigforge  # a task that `invoke` runs does without

    module, _ = FilesystemLoader(start=str(paths.SHARE)).load("tasks")
    if not paths.CHECKOUT:
        for name in OF_CHECKOUTS:
            delattr(module, name)
    tasks = Collection.from_module(module)
    if not paths.CHECKOUT:
        for task in tasks.tasks.values():
            task.__doc__ = _as_called(task.__doc__ or "")
    return Rigforge(name="Rigforge", binary="rigforge", binary_names=["rigforge"], version=__version__, namespace=tasks)


def _bootstrap(error: ModuleNotFoundError) -> None:
    """Goes on in the checkout's environment, which bootstrap makes; returns where this is it, and where sh is missing.

    So `invoke` in a new clone does what `./bootstrap` does.
    """
    environment = paths.PROJECT / ".venv"
    if not paths.CHECKOUT or os.name == "nt" or Path(sys.prefix).resolve() == environment.resolve():
        return
    print(f"This Python has no {error.name}: going on with ./bootstrap {' '.join(sys.argv[1:2])}", file=sys.stderr)
    sys.stdout.flush()
    os.execv(paths.PROJECT / "bootstrap", ["bootstrap", *sys.argv[1:]])


def _with_help_first(argv: Sequence[str]) -> list[str]:
    """Returns `rigforge --help TASK` for `rigforge TASK … --help`, which Invoke takes for the value of an argument that
    TASK requires. What is behind `--` is another program's.
    """
    words = argv[: argv.index("--")] if "--" in argv else argv
    return [argv[0], "--help", argv[1]] if "--help" in words[2:] else list(argv)


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _fail(message: str, hint: str = "") -> None:
    from rigforge import console  # rich is a tenth of a second that a listing need not wait for

    console.fail(_as_called(message), _as_called(hint))


def _as_called(text: str) -> str:
    """Returns a text with the commands in it as they are where there is no checkout, and so no ./bootstrap."""
    return text if paths.CHECKOUT else re.sub(r"(?<![\w-])(?:\./bootstrap|invoke)(?= [a-z…-])", "rigforge", text)


def _report_bug() -> None:
    """Writes down the exception being handled and says how to report it."""
    import platform
    import traceback

    from rigforge.redact import redacted

    report = f"Rigforge {__version__}, Python {platform.python_version()}, {platform.platform()}\n\n"
    report += traceback.format_exc()
    path = paths.home() / "bugs" / f"{time.strftime('%Y-%m-%dT%H-%M-%S')}-{time.monotonic_ns() % 1000:03}.txt"
    summary = f"a bug in Rigforge: {traceback.format_exception_only(sys.exc_info()[1])[-1].strip()}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(redacted(report))
    except OSError:
        _fail(summary, f"please report it with this:\n{report}")
    else:
        _fail(summary, f"please report it, with the command and {path}")


if __name__ == "__main__":
    main()
