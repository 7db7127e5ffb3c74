"""What a Dockerfile adds to our layers: its top layer and its configuration, made by buildah without a daemon."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rigforge.errors import RigforgeError
from rigforge.images import blob
from rigforge.process import run

#: What a container starts with (OCI image specification, and Docker's Healthcheck); the rest is of buildah's own run.
CONFIG = ("Cmd", "Entrypoint", "Env", "ExposedPorts", "Healthcheck", "Labels", "StopSignal", "User", "WorkingDir")

#: Empty files that buildah leaves in the root, for what every engine puts there itself.
LEFTOVERS = {"etc/hosts", "etc/hostname", "etc/resolv.conf"}

#: Images come from our own layers, by their digests.
_POLICY = {"default": [{"type": "insecureAcceptAnything"}]}


@dataclass(frozen=True)
class Request:
    """The Dockerfile `dockerfile` of the folder `context`, to be built on an image; places are paths as text.

    The image is the tag `base` of the layout `layout`, and holds only the operating system: copying gigabytes of CUDA
    to add a user to them would take minutes. So the files of the top layer must not be files of `above`, the
    directories of the layers that lie between the two. The layer goes to the blob `output` (compressed by
    `compression`, no file younger than `epoch`), the configuration to the file `config`. `work` is an empty directory.
    """

    dockerfile: str
    context: str
    layout: str
    above: Sequence[str]
    epoch: int
    compression: str
    output: str
    config: str
    work: str


def build(content: dict[str, Any]) -> None:
    """Builds the Dockerfile of a `Request`; runs in the namespace.

    Raises RigforgeError with buildah's own words, or naming the file that two layers would hold.
    """
    request = Request(**content)
    work = Path(request.work)
    policy = work / "policy.json"
    policy.write_text(json.dumps(_POLICY))
    storage = ["--storage-driver", "vfs", "--root", str(work / "storage"), "--runroot", str(work / "run")]
    buildah = ["buildah", *storage, "--signature-policy", str(policy)]
    temporary = {"TMPDIR": str(work), "HOME": str(work)}
    layout = Path(request.layout)
    # A path from here, as buildah makes a name of it, and not every path is one.
    pulled = run([*buildah, "pull", "--quiet", f"oci:{layout.name}:base"], env=temporary, cwd=layout.parent)
    epoch = ["--timestamp", str(request.epoch), "--identity-label=false"]
    options = ["--isolation", "chroot", "--format", "docker", "--pull-never", "--layers=false", *epoch]
    source = ["--file", request.dockerfile, "--build-arg", f"BASE={pulled.stdout.strip()}"]
    run([*buildah, "build", *options, *source, "--iidfile", str(work / "id"), request.context], env=temporary)
    image = (work / "id").read_text().strip()
    run([*buildah, "push", "--quiet", "--disable-compression", image, f"dir:{work / 'top'}"], env=temporary)
    manifest = json.loads((work / "top/manifest.json").read_text())
    config = json.loads((work / "top" / _hex(manifest["config"]["digest"])).read_text())
    settings = {key: config["config"][key] for key in CONFIG if config["config"].get(key)}
    Path(request.config).write_text(json.dumps(settings))
    directories = [Path(directory) for directory in request.above]
    top = work / "top" / _hex(manifest["layers"][-1]["digest"])
    merge(top, Path(request.output), request.compression, request.epoch, directories)


def merge(source: Path, output: Path, compression: str, epoch: int, above: list[Path]) -> None:
    """Writes the tar `source` as the blob `output`, in our order and form, to lie on top of the directories `above`.

    Raises RigforgeError naming a file that one of them holds as well.
    """
    with tarfile.open(source) as tar, blob.create(output, compression) as layer:
        for member in sorted(tar.getmembers(), key=lambda member: member.name):
            name = member.name.strip("/")
            if name in LEFTOVERS:
                continue
            if not member.isdir() and (holders := [path for path in above if _exists(path / name)]):
                raise RigforgeError(
                    f"the Dockerfile changes /{name}, which a layer above the operating system has too ({holders[0]})",
                    "what is in a layer is the stack's to change (its [packages])",
                )
            member.uname = member.gname = ""
            member.mtime = min(int(member.mtime), epoch)
            member.pax_headers = {key: text for key, text in member.pax_headers.items() if key.startswith("SCHILY.")}
            layer.addfile(member, tar.extractfile(member) if member.isreg() else None)


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")
