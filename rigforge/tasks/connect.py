"""The way to a machine that runs."""

from __future__ import annotations

from invoke.context import Context

from rigforge.cli import task


@task(
    positional=["host"],
    help={
        "host": "as ssh takes it: NAME, USER@NAME or ssh://USER@NAME:PORT",
        "code": "print the command that opens the machine in Visual Studio Code, and end",
        "browser": "--no-browser prints the address, with its token, instead of opening it",
        "port": "port of this computer (default: 8888, else a free one)",
    },
)
def connect(context: Context, host: str, code: bool = False, browser: bool = True, port: str = "") -> None:
    """
    Open a machine's JupyterLab in the browser here, through SSH, until Ctrl-C.

    Example: invoke connect gpubox
    """
    from rigforge import console
    from rigforge.connect import connect as way

    if code:
        print(way.code(host))
    else:
        way.connect(host, port=port, browser=browser, say=console.say)
