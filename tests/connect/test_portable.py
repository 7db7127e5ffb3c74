"""What a laptop runs imports on macOS and Windows too: nothing that only Linux or Unix has."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rigforge.paths import PROJECT

#: Modules of Python's library that Windows lacks (docs.python.org, "Availability: not Windows").
UNIX = ("crypt", "fcntl", "grp", "posix", "pty", "pwd", "resource", "spwd", "syslog", "termios", "tty")

#: An interpreter as on Windows: without those modules, and without what only Unix has in others. What knows Windows
#: itself has chosen its half before: Python's library, Invoke and Rich.
WITHOUT = f"""
import subprocess, socket, ssl, urllib.request, webbrowser, tempfile, getpass, shutil, asyncio
import invoke.program, rich.console, rich.progress
import os, signal, sys
for name in {UNIX}:
    sys.modules[name] = None
for name in ("SIGHUP", "SIGPIPE", "SIGKILL"):
    delattr(signal, name)
for name in ("geteuid", "getuid", "fork"):
    delattr(os, name)
"""


@pytest.mark.parametrize(
    "program",
    [
        "import rigforge.connect.__main__",
        "import rigforge.cli, tasks; import rigforge.console, rigforge.connect.connect",
        "import sys; sys.argv = ['rigforge', '--list']; from rigforge.cli import main; main()",
    ],
    ids=["alone", "task", "list"],
)
def test_nothing_that_only_unix_has_is_needed(program: str) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT + program], cwd=PROJECT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_alone_it_needs_pythons_own_library_only() -> None:
    loaded = "import sys; import rigforge.connect.__main__; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-S", "-c", loaded], cwd=PROJECT, capture_output=True, text=True, check=True)
    roots = {name.partition(".")[0] for name in done.stdout.splitlines()}
    assert roots - set(sys.stdlib_module_names) <= {"rigforge", "__main__"}


def test_the_program_for_the_machine_needs_pythons_own_library_only() -> None:
    program = (PROJECT / "rigforge/connect/remote_agent.py").read_text(encoding="utf-8")
    imported = {
        line.split()[1].partition(".")[0] for line in program.splitlines() if line.startswith(("import", "from"))
    }
    assert imported <= set(sys.stdlib_module_names)
