"""The way back: the packages that an upgrade replaces, as .debs, and the record of what it changes."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rigforge import atomic
from rigforge.doctor.machine import Machine
from rigforge.doctor.upgrade.runner import Runner, UpgradeError

#: In a machine's file system.
FOLDER = "var/lib/rigforge/upgrade"

_RECORD = "record.json"
#: Of what dpkg says of a package: what belongs to the installation, and not to the package.
_OF_STATUS = re.compile(r"^(?:Status|Config-Version|Conffiles):.*\n(?: .*\n)*", re.MULTILINE)


@dataclass(frozen=True)
class UpgradeRecord:
    """One upgrade: kernels before and after, the driver before, the packages that it added, what was held."""

    kernel: str
    new_kernel: str
    driver: str
    added: tuple[str, ...]
    holds: tuple[str, ...]
    finished: bool = False


def read(machine: Machine) -> UpgradeRecord | None:
    """Returns the record of the last upgrade that was not taken back."""
    text = machine.text(f"{FOLDER}/{_RECORD}")
    try:
        fields: dict[str, Any] = json.loads(text) if text else {}
        typed: Any = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
        return UpgradeRecord(**typed) if typed else None
    except (ValueError, TypeError, AttributeError):
        raise UpgradeError(f"/{FOLDER}/{_RECORD} cannot be read; it is the record of the last upgrade") from None


def write(machine: Machine, record: UpgradeRecord) -> None:
    """Writes the record so that it survives a power cut at any moment."""
    atomic.write(machine.root / FOLDER / _RECORD, json.dumps(asdict(record), indent=2))


def forget(machine: Machine) -> None:
    """Takes away the record and what was kept."""
    (machine.root / FOLDER / _RECORD).unlink(missing_ok=True)
    shutil.rmtree(machine.root / FOLDER / "previous", ignore_errors=True)


def debs(machine: Machine) -> tuple[Path, ...]:
    return tuple(sorted((machine.root / FOLDER / "previous").glob("*.deb")))


def keep(machine: Machine, doing: Runner, names: Iterable[str]) -> None:
    """Packs installed packages again as they are, in place of those that were kept before.

    An archive may not have them any more, and the module's that Rigforge made it never had.
    """
    folder = machine.root / FOLDER / "previous"
    forget(machine)
    folder.mkdir(parents=True, mode=0o700)
    for name in names:
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            _unpack(machine, doing, name, Path(temporary) / name)
            doing.run("dpkg-deb", "-Zgzip", "-z1", "--build", str(Path(temporary) / name), str(folder / f"{name}.deb"))


def _unpack(machine: Machine, doing: Runner, name: str, into: Path) -> None:
    """Puts a package's files and its control files where dpkg-deb packs them from."""
    control = into / "DEBIAN"
    control.mkdir(parents=True, mode=0o755)
    into.chmod(0o755)
    status = doing.run("dpkg-query", "--status", name).rstrip("\n") + "\n"
    (control / "control").write_text(_OF_STATUS.sub("", status))
    # Symlinks to folders are folders in packages: /lib on every system of today.
    listed = _files(doing.run("dpkg-query", "--listfiles", name))
    folders = {str(Path(path).parent) for path, _ in listed}
    for path, real in listed:
        source, copy = machine.root / real.lstrip("/"), into / path.lstrip("/")
        if path in folders or (source.is_dir() and not source.is_symlink()):
            copy.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copystat(source, copy)
        elif os.path.lexists(source):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy, follow_symlinks=False)
        else:
            continue  # such as documentation that the machine excludes
        attributes = source.lstat() if not copy.is_dir() else source.stat()
        if os.geteuid() == 0:
            os.chown(copy, attributes.st_uid, attributes.st_gid, follow_symlinks=False)
    for file in doing.run("dpkg-query", "--control-path", name).split():
        shutil.copy(file, control / Path(file).name.rpartition(".")[2])


def _files(listed: str) -> list[tuple[str, str]]:
    """Returns the paths of `dpkg-query --listfiles`, each with where the file really is.

    >>> _files("/usr/bin/x\\ndiverted by y to: /usr/bin/x.old\\npackage diverts others to: /z\\n/usr/bin/y")
    [('/usr/bin/x', '/usr/bin/x.old'), ('/usr/bin/y', '/usr/bin/y')]
    """
    paths: list[tuple[str, str]] = []
    for line in listed.splitlines():
        if line.startswith("/"):
            paths.append((line, line))
        elif diverted := re.match(r"(?:locally )?diverted (?:by \S+ )?to: (/.*)", line):
            paths[-1] = (paths[-1][0], diverted[1])
    return [(path, real) for path, real in paths if path != "/."]
