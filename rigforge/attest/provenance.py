"""Where a build came from: an in-toto Statement with SLSA's provenance.

It has no times (`startedOn`, `finishedOn`), no invocation and no name of the machine, so that two builds of the same
lock say the same, byte for byte. It is not signed by itself, and what it says is worth as much as who vouches for it.
Source: in-toto Attestation Framework, Statement v1; SLSA 1.0, Provenance (predicate type v1).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rigforge import __version__
from rigforge.layers.plan import Layer
from rigforge.lock.model import Lock, digest
from rigforge.paths import IMPORTS
from rigforge.process import run
from rigforge.stack.model import Stack

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"

#: Names, not addresses: nothing will ever answer under .invalid (RFC 2606).
BUILD_TYPE = "https://rigforge.invalid/build/stack/v1"
BUILDER = "https://rigforge.invalid/builder/v1"

#: Names the revision, whatever the checkout is at (a variable of the environment).
REVISION = "RIGFORGE_REVISION"


def provenance(subjects: Mapping[str, str], stack: Stack, lock: Lock, layers: Sequence[Layer], site: str = "") -> str:
    """Returns the provenance of artifacts: `subjects` maps their names to their sha256 (hex).

    `layers` are those that they are made of, with the ones that only serve to build others; their files and the lock
    itself are the dependencies. Of the site's values there is nothing but the digest `site`, see `site_sha256`; images
    hold none of them.
    """
    files = {file.file: file.sha256 for layer in layers for file in layer.files}
    commit = revision()
    # Without a choice nothing is said: the stack's own cards are meant.
    cards = {"gpus": list(stack.machine.gpus)} if site and stack.machine.gpus else {}
    statement = {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": sha256}} for name, sha256 in sorted(subjects.items())],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"stack": stack.name, **cards, **({"site": {"sha256": site}} if site else {})},
                "internalParameters": {"rigforge": __version__, **({"revision": commit} if commit else {})},
                "resolvedDependencies": [
                    {"name": "lock", "digest": {"sha256": digest(lock)}},
                    *({"uri": uri, "digest": {"sha256": sha256}} for uri, sha256 in sorted(files.items())),
                ],
            },
            "runDetails": {"builder": {"id": BUILDER, "version": {"rigforge": __version__}}},
        },
    }
    return json.dumps(statement, indent=2) + "\n"


def site_sha256(stack: Stack) -> str:
    """Returns the SHA-256 (hex) of the site's values, which tells two sites apart and gives none of them away.

    What may be secret is not among them, as a digest can be guessed at millions of times a second: the password's hash,
    the disk's passphrase, the network (of Wi-Fi) and commands. The Machine Owner Key counts by its certificate, not by
    where this machine has it.
    """
    # Where no cards are chosen, the digest is that of a site from before there was a choice.
    unsaid = () if stack.machine.gpus else ("gpus",)
    values: dict[str, Any] = stack.model_dump(
        mode="json",
        include={
            "machine": set(type(stack.machine).model_fields) - {"password_hash", *unsaid},
            "storage": set(type(stack.storage).model_fields) - {"passphrase"},
            "install": {"shutdown"},
        },
    )
    if stack.secure_boot.certificate:
        certificate = Path(stack.secure_boot.certificate).read_bytes()
        values["certificate_sha256"] = hashlib.sha256(certificate).hexdigest()
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def revision() -> str:
    """Returns the revision of Rigforge: RIGFORGE_REVISION where that is set, else the commit of the checkout."""
    return os.environ[REVISION] if REVISION in os.environ else git_revision(IMPORTS)


def git_revision(directory: Path) -> str:
    """Returns the commit that a git checkout is at, with `-dirty` where files differ from it; "" where it is none."""
    if not (directory / ".git").exists() or not shutil.which("git"):
        return ""
    described = run(
        ["git", "-c", "safe.directory=*", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
        cwd=directory,
        check=False,
    )
    return described.stdout.strip()
