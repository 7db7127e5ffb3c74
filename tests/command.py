"""The `rigforge` command in this process, where a Python of its own would only take longer."""

from __future__ import annotations

import io
import os
import signal
import sys
from contextlib import ExitStack, chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess
from unittest.mock import patch

from invoke.collection import Collection

import tasks
from rigforge.cli import main
from rigforge.paths import PROJECT


def rigforge(*arguments: str | Path) -> CompletedProcess[str]:
    """Runs a task in the checkout and returns its exit code and what it printed.

    What a task's own processes print is not seen, and what it sets in this process stays: the signals' handlers and
    the environment apart.
    """
    argv = ["rigforge", *map(str, arguments)]
    code: object = 0
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    with ExitStack() as put_back:
        put_back.enter_context(patch.object(sys, "argv", argv))
        put_back.enter_context(patch.dict(os.environ))
        put_back.enter_context(chdir(PROJECT))
        put_back.enter_context(redirect_stdout(out))
        put_back.enter_context(redirect_stderr(err))
        for task in Collection.from_module(tasks).tasks.values():
            # Invoke takes out of it what it has read; a process has one command line only.
            put_back.enter_context(patch.object(task, "help", dict(task.help)))
        for number, handler in handlers.items():
            put_back.callback(signal.signal, number, handler)
        try:
            main()
        except SystemExit as end:
            code = end.code
    printed = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
    return CompletedProcess(argv, 0 if code is None else int(str(code)), *printed)
