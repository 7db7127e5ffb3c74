"""Packer: which version this is, a template with its variables in one folder, validate and build."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import Version

from rigforge import process
from rigforge.errors import RigforgeError
from rigforge.paths import IMPORTS, SHARE

TEMPLATES = SHARE / "packer"

#: The first version with `required_plugins`, and whose builders may have to be fetched as plugins.
_PLUGINS_SINCE = (1, 7)


@dataclass(frozen=True)
class Variables:
    """The variables of packer/machine.pkr.hcl; each field is described there."""

    iso: str
    output_directory: str
    disk_mib: int
    qemuargs: list[list[str]]
    ssh_port: int
    ssh_username: str
    ssh_private_key_file: str
    ssh_timeout: str
    test_command: str


def parse_version(text: str) -> Version:
    """Returns the version from what `packer version` prints, which may be followed by advice to upgrade."""
    if match := re.search(r"\bv(\d+\.\d+\.\d+\S*)", text):
        return Version(match[1])
    raise RigforgeError(f"cannot tell Packer's version from: {text.strip()!r}", "see what `packer version` prints")


def version() -> Version:
    """Returns the version of the Packer that is installed."""
    return parse_version(process.run(["packer", "version"], env=_environment()).stdout)


def wants_plugins(packer: Version) -> bool:
    """Tells whether this Packer knows `required_plugins`; 1.6 has the qemu builder built in and refuses the word."""
    return packer.release[:2] >= _PLUGINS_SINCE


def render(directory: Path, template: str, values: Mapping[str, Any], packer: Version) -> Path:
    """Makes `directory` a complete Packer project (`packer build DIRECTORY`) of a template and returns it.

    The values are JSON, in which no character means anything to Packer.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "plugins.pkr.hcl").unlink(missing_ok=True)
    shutil.copy(TEMPLATES / f"{template}.pkr.hcl", directory)
    if wants_plugins(packer):
        shutil.copy(TEMPLATES / "plugins.pkr.hcl", directory)
    text = json.dumps(dict(values), indent=2) + "\n"
    (directory / f"{template}.auto.pkrvars.json").write_text(text)
    return directory


def validate(directory: Path, packer: Version) -> None:
    """Has Packer check the project in `directory`; fetches the qemu plugin first where it is not built in.

    Raises RigforgeError with Packer's own words.
    """
    if wants_plugins(packer):
        init = process.run(["packer", "init", directory], env=_environment(), check=False)
        if init.returncode:
            raise RigforgeError(
                f"Packer {packer} has no qemu plugin, and could not fetch it:\n{init.stdout}{init.stderr}".rstrip(),
                "fetch it once where there is a network: packer plugins install github.com/hashicorp/qemu",
            )
    process.run(["packer", "validate", directory], env=_environment(directory))


def build(directory: Path, log: Path) -> None:
    """Runs the project in `directory`; what Packer says goes to `log`. Raises CommandFailed."""
    process.run(["packer", "build", "-color=false", directory], env=_environment(directory), log=log)


def owner(qemu: int) -> int | None:
    """Returns the process id of the Packer, started by this process, that runs the process `qemu`."""
    child: int | None = qemu
    while child and (parent := _parent(child)) != os.getpid():
        child = parent
    return child or None


def stop(packer: int) -> None:
    """Asks Packer to clean up and end.

    By itself it waits for SSH until its time is over, even when the machine has long failed.
    """
    with contextlib.suppress(ProcessLookupError):
        os.kill(packer, signal.SIGTERM)


def _parent(pid: int) -> int | None:
    try:
        # The name in brackets may itself hold brackets and spaces: proc(5).
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1])


def _environment(directory: Path | None = None) -> Mapping[str, str]:
    """Packer's own variables as the user has set them, nothing asked over the network, no state in $HOME."""
    variables = {name: value for name, value in os.environ.items() if name.startswith("PACKER_")}
    cache = {"PACKER_CACHE_DIR": str(directory / "cache")} if directory else {}
    return {**variables, "CHECKPOINT_DISABLE": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(IMPORTS), **cache}
