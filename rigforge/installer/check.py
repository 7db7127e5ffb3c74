"""The medium's own check: every file named in its SHA256SUMS, against what is really there.

Run as a program it checks the medium that was started from and shows the verdict.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rigforge.installer.command import output_of
from rigforge.installer.errors import InstallError
from rigforge.installer.screen import Screen, consoles

MEDIUM = Path("/run/live/medium")

HINT = "write the image to the stick again, or try another stick or port; nothing on this machine was changed"


def check_medium(medium: Path, progress: Callable[[int, int], None]) -> int:
    """Checks the medium mounted at `medium` and returns how many files it has.

    `progress` is called with bytes done and bytes in all. Raises InstallError naming each missing or wrong file.
    """
    sums = medium / "SHA256SUMS"
    try:
        paths = [line[66:] for line in sums.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InstallError(f"the medium has no readable SHA256SUMS: {error}", HINT) from error
    sizes = [file.stat().st_size for file in (medium / path for path in paths) if file.is_file()]

    def watch(process: int) -> None:
        progress(_bytes_read(process), sum(sizes))

    # Not hashlib: without the processor's own SHA instructions sha256sum is more than twice as fast.
    verdicts = output_of(["sha256sum", "--check", "--strict", sums], cwd=medium, watch=watch, check=False).splitlines()
    good = {verdict.removesuffix(": OK") for verdict in verdicts if verdict.endswith(": OK")}
    wrong = [path for path in paths if path not in good]
    if wrong or not paths:
        raise InstallError("\n".join(["the medium is damaged:", *(f"  {path}" for path in wrong)]), HINT)
    return len(paths)


def _bytes_read(process: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{process}/io").read_text().splitlines():
            if line.startswith("rchar: "):
                return int(line.split()[1])
    return 0


def main(medium: Path = MEDIUM, screen: Screen | None = None) -> int:
    """Checks the medium, shows the verdict, and returns 0 when it is good."""
    screen = screen or Screen(consoles(), 1)
    try:
        with screen.stage("checking the medium"):
            files = check_medium(medium, screen.progress)
    except InstallError as error:
        screen.say(f"FAILED: {error.message}\n{error.hint}")
        return 1
    screen.say(f"the medium is good ({files} files); type reboot, or press Ctrl-Alt-Del, to restart")
    return 0


if __name__ == "__main__":
    sys.exit(main())
