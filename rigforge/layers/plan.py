"""Which layers a stack has, and the key under which each is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from rigforge import distributions
from rigforge.doctor.build import SOURCES
from rigforge.errors import RigforgeError
from rigforge.lock import target
from rigforge.lock.conda import BASE
from rigforge.lock.model import Lock
from rigforge.records.file import LockedFile
from rigforge.stack.model import Stack

#: The Python environment, where conda has made none, on machines and in containers alike.
ENVIRONMENT = "/opt/rigforge/python"

#: Where the interpreter of that environment keeps its packages, for one minor version of Python.
SITE_PACKAGES = "{environment}/lib/python{version}/site-packages"

#: conda's own environment; the others are below it.
CONDA = "/opt/conda"

#: What packs rigforge-doctor, in its layer alone.
DOCTOR_ENVIRONMENT = "/opt/doctor"

CUDA_ROOT = "/usr/local/cuda"

#: Layers of which the medium has files, though they are not shipped.
ON_MEDIUM = ("boot",)

#: Sources besides its own that decide what a recipe makes, as patterns within the package.
SHARED = {
    "cuda": ("layers/bytecode.py", "layers/conda*", "layers/cuda_tree.py", "layers/wheels.py"),
    "python": ("layers/bytecode.py", "layers/conda*", "layers/wheels.py"),
    "devel": (
        "layers/bytecode.py",
        "layers/conda*",
        "layers/cuda_tree.py",
        "layers/toolkit.py",
        "layers/wheels.py",
    ),
    "doctor": ("layers/bytecode.py", "layers/wheels.py", *SOURCES),
    "host": (
        "closure.py",
        "doctor/holds.py",
        "layers/own_files.py",
        "layers/recipes/jupyter.py",
        "layers/recipes/remote.py",
        "machine/**/*",
    ),
    "medium": ("closure.py", "guest.py", "layers/own_files.py", "installer/**/*"),
}


@dataclass(frozen=True)
class Layer:
    """A layer to build: what it stands on, what goes into it, and what its recipe is told.

    `shipped` is false for what only serves to build another layer. `uses` are layers whose product the recipe
    takes, besides standing on `parent`.
    """

    name: str
    parent: Layer | None
    files: tuple[LockedFile, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    uses: tuple[Layer, ...] = ()
    shipped: bool = True

    @cached_property
    def key(self) -> str:
        """The hash of the parent's key, the layer's part of the lock, its options and its recipe."""
        content = {
            "name": self.name,
            "parent": self.parent.key if self.parent else "",
            "uses": [used.key for used in self.uses],
            "files": [[file.basename, file.sha256] for file in self.files],
            "options": dict(self.options),
            "recipe": recipe_digest(self.name),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:40]

    def chain(self) -> tuple[Layer, ...]:
        """Returns the layer and what it stands on, bottom first."""
        return (*(self.parent.chain() if self.parent else ()), self)


def plan(stack: Stack, lock: Lock) -> tuple[Layer, ...]:
    """Returns the layers of a stack, each after what it needs; those without content are left out.

    The last two are the medium's own: `medium` is the top of the live system, `boot` has its boot files.

    Raises RigforgeError where the MOK's files cannot be read, or where nothing can be built for the distribution.
    """
    epoch = {"source_date_epoch": _release_date(stack, lock)}
    cuda = ".".join(lock.versions.get("cuda", "").split(".")[:2])
    python = {**epoch, "environment": environment(lock), "site_packages": site_packages(lock, stack.python.version)}
    base = Layer("base", None, lock.part("base"), {**epoch, "suite": stack.system.suite})
    top, layers = base, [base]
    for name in ("cuda", "python", "devel"):
        if files := lock.part(name):
            options = {**python, "cuda_root": CUDA_ROOT, "cuda_version": cuda}
            top = Layer(name, top, files, {**options, **_conda(files)})
            layers.append(top)
    uses: tuple[Layer, ...] = ()
    if files := lock.part("doctor"):
        doctor = Layer("doctor", base, files, {**epoch, **_of_the_doctor(lock)}, shipped=False)
        layers.append(doctor)
        uses = (doctor,)
    if lock.part("module"):
        kernel = {name: lock.versions[name] for name in ("kernel", "kernel_package_version", "driver")}
        kernel["support"] = distributions.of(stack).module_support(stack)
        module = Layer("module", top, lock.part("module"), {**epoch, **kernel, **_signing(stack)}, shipped=False)
        layers.append(module)
        uses = (*uses, module)
    host = {
        **epoch,
        "kernel": lock.versions["kernel"],
        "driver": lock.versions.get("driver", ""),
        "jupyter": _jupyter(lock),
        "sources_file": list(distributions.of(stack).sources_file(distributions.sources_list(stack))),
        "enable": list(stack.services.enable),
        "disable": list(stack.services.disable),
        **({"expect": stack.gpu.expect} if stack.gpu.expect else {}),
    }
    machine = Layer("host", top, lock.part("host"), host, uses)
    loaders = not distributions.of(stack).live_server(stack)
    boot = Layer("boot", machine, (), {**epoch, "kernel": lock.versions["kernel"], "loaders": loaders}, shipped=False)
    return (*layers, machine, boot, Layer("medium", machine, (), epoch, (boot,)))


def with_pool(layers: Sequence[Layer], iso: str, sources: str) -> tuple[Layer, ...]:
    """Returns the layers with one on the machine's that makes apt trust the pool of Canonical's medium.

    `iso` is the medium's sha256 (hex), `sources` the deb822 source with the pool's key.
    """
    machine = next(layer for layer in layers if layer.name == "host")
    epoch = machine.options["source_date_epoch"]
    pool = Layer("pool", machine, (), {"source_date_epoch": epoch, "iso": iso, "sources": sources})
    above = layers.index(machine) + 1
    return (*layers[:above], pool, *layers[above:])


def environment(lock: Lock) -> str:
    """Returns the prefix of the Python environment that is active on the machine."""
    named = {file.environment for file in lock.files if file.kind == "conda"} - {BASE}
    return prefix(min(named)) if named else ENVIRONMENT


def site_packages(lock: Lock, version: str) -> str:
    """Returns where the interpreter of that environment, of a minor version of Python, keeps its packages."""
    return SITE_PACKAGES.format(environment=environment(lock), version=version)


def prefix(name: str) -> str:
    """Returns the prefix of a conda environment."""
    return CONDA if name == BASE else f"{CONDA}/envs/{name}"


def _jupyter(lock: Lock) -> dict[str, str]:
    """Returns where JupyterLab is and what its kernel is called; nothing where the lock has none."""
    if "jupyterlab" not in lock.versions:
        return {}
    names = {"python": "Python", "pytorch": "PyTorch"}
    series = {name: ".".join(lock.versions[name].split(".")[:2]) for name in names if name in lock.versions}
    return {
        "environment": environment(lock),
        "kernel": ", ".join(f"{names[name]} {version}" for name, version in series.items()),
    }


def _conda(files: Iterable[LockedFile]) -> dict[str, Any]:
    """Returns the option `conda`: the packages, role and path, of each prefix; no option without packages."""
    packages: dict[str, list[str]] = {}
    for file in files:
        if file.kind == "conda":
            packages.setdefault(prefix(file.environment), []).append(file.file)
    return {"conda": packages} if packages else {}


def _of_the_doctor(lock: Lock) -> dict[str, str]:
    """Returns where PyInstaller and the doctor's wheels are installed, for the distribution's own Python."""
    series = target.system_python((*lock.part("base"), *lock.part("doctor")))
    packages = SITE_PACKAGES.format(environment=DOCTOR_ENVIRONMENT, version=series)
    return {"environment": DOCTOR_ENVIRONMENT, "site_packages": packages}


def _release_date(stack: Stack, lock: Lock) -> int:
    """Returns the time (seconds since 1970) that no file of a layer is younger than: the suite's own date.

    It stays the same from one point release to the next, while the lock's own date moves with every security update;
    that would rebuild all layers for a package of one.
    """
    dates = [parsedate_to_datetime(archive.date) for archive in lock.archives if archive.suite == stack.system.suite]
    return min((int(date.timestamp()) for date in dates), default=lock.source_date_epoch)


def recipe_digest(name: str) -> str:
    """Returns the hash of the source that builds a layer: its recipe, and what that shares with others."""
    package = Path(__file__).parent.parent
    patterns = ["layers/root.py", f"layers/recipes/{name}.py", *SHARED.get(name, ())]
    sources = [source for pattern in patterns for source in sorted(package.glob(pattern)) if source.is_file()]
    return hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()


def _signing(stack: Stack) -> dict[str, str]:
    """The MOK's files and the certificate's digest, so that another key signs the module anew."""
    if not stack.secure_boot.key:
        return {}
    key, certificate = Path(stack.secure_boot.key), Path(stack.secure_boot.certificate)
    for file in (key, certificate):
        if not file.is_file():
            raise RigforgeError(
                f"[secure_boot]: there is no file {file}",
                "make a key pair: openssl req -new -x509 -newkey rsa:2048 -nodes -days 36500 -subj '/CN=MOK/' "
                "-keyout mok.key -out mok.pem",
            )
    return {
        "signing_key": str(key.resolve()),
        "signing_certificate": str(certificate.resolve()),
        "certificate_sha256": hashlib.sha256(certificate.read_bytes()).hexdigest(),
    }
