"""The document's late-commands: run in the live system, with the installed one at /target."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from rigforge.installer.command import ProgramFailed, run
from rigforge.installer.errors import InstallError

#: `curtin in-target -- COMMAND` is how such documents run something inside the installed system.
CURTIN = """\
#!/bin/sh
# Only this of curtin: curtin in-target [--target=DIR] [--] COMMAND...
if [ "$1" != in-target ]; then
    echo "curtin $1: this installer offers only curtin in-target" >&2
    exit 2
fi
shift
target=/target
while [ $# -gt 0 ]; do
    case $1 in
        --) shift; break ;;
        --target=*) target=${1#*=}; shift ;;
        -t | --target) target=$2; shift 2 ;;
        -*) echo "curtin in-target: $1 is not offered here" >&2; exit 2 ;;
        *) break ;;
    esac
done
exec chroot "$target" "$@"
"""


def run_late_commands(commands: Sequence[str | Sequence[str]], folder: Path) -> None:
    """Runs each command to its end; text goes to the shell. `folder` is for the shim that stands for curtin.

    Raises InstallError naming the first command that fails, by its place in the list.
    """
    if not commands:
        return
    shim = folder / "curtin"
    folder.mkdir(parents=True, exist_ok=True)
    shim.write_text(CURTIN)
    shim.chmod(0o755)
    path = f"{folder}:{os.environ.get('PATH', '/usr/sbin:/usr/bin:/sbin:/bin')}"
    for number, command in enumerate(commands):
        words = ["sh", "-c", command] if isinstance(command, str) else command
        try:
            run(words, environment={"PATH": path})
        except ProgramFailed as error:
            raise InstallError(
                f"late-commands[{number}] ended with exit code {error.returncode}",
                "the end of the log has its output; correct it in the autoinstall document",
            ) from error
