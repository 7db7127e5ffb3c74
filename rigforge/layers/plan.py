"""Which layers a stack has, and the key under which each is kept."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from email.utils import parsedate_to_datetime
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rigforge import closure, distributions
from rigforge.distributions.distribution import Distribution
from rigforge.errors import RigforgeError
from rigforge.layers.environment import CONDA, ENVIRONMENT, SITE_PACKAGES, Environment
from rigforge.layers.recipes import base, boot, doctor, host, module, pool
from rigforge.layers.root import NoOptions
from rigforge.lock import platform
from rigforge.lock.model import Lock
from rigforge.machine import DOCTOR
from rigforge.records.conda import BASE
from rigforge.records.file import LockedFile
from rigforge.rules.versions import series
from rigforge.stack.model import Stack

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

NOTHING = NoOptions()

#: What runs each recipe, besides what that imports.
RUNNERS = ("rigforge.layers.in_namespace",)

#: Layers of which the medium has files, though they are not shipped.
ON_MEDIUM = ("boot",)


@dataclass(frozen=True)
class Layer:
    """A layer to build: what it stands on, what goes into it, and what its recipe is told.

    No file of it is younger than `epoch` (seconds since 1970). `options` are the recipe's own. `uses` are layers whose
    product the recipe takes, besides standing on `parent`. `shipped` is false for what only serves to build another
    layer.
    """

    name: str
    parent: Layer | None
    files: tuple[LockedFile, ...]
    epoch: int = 0
    options: DataclassInstance = NOTHING
    uses: tuple[Layer, ...] = ()
    shipped: bool = True

    @cached_property
    def key(self) -> str:
        """The hash of the parent's key, the layer's part of the lock, its options and its recipe."""
        content = {
            "name": self.name,
            "parent": self.parent.key if self.parent else "",
            "uses": [product.key for product in self.uses],
            "files": [[file.basename, file.sha256] for file in self.files],
            "options": self.options_by_name,
            "recipe": recipe_digest(self.name),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:40]

    @property
    def options_by_name(self) -> dict[str, Any]:
        """The epoch and the recipe's own options, by name."""
        return {"source_date_epoch": self.epoch, **asdict(self.options)}

    def chain(self) -> tuple[Layer, ...]:
        """Returns the layer and what it stands on, bottom first."""
        return (*(self.parent.chain() if self.parent else ()), self)


def plan(stack: Stack, lock: Lock) -> tuple[Layer, ...]:
    """Returns the layers of a stack, each after what it needs; those without content are left out.

    The last two are the medium's own: `medium` is the top of the live system, `boot` has its boot files.

    Raises RigforgeError where the MOK's files cannot be read, or where nothing can be built for the distribution.
    """
    distribution, epoch = distributions.of(stack), _release_date(stack, lock)
    top = system = Layer("base", None, lock.part("base"), epoch, base.Options(stack.system.suite))
    layers = [system]
    for name in ("cuda", "python", "devel"):
        if files := lock.part(name):
            top = Layer(name, top, files, epoch, _environment(stack, lock, files))
            layers.append(top)
    serving = []
    if files := lock.part("doctor"):
        serving.append(Layer("doctor", system, files, epoch, _doctor(lock), shipped=False))
    if files := lock.part("module"):
        serving.append(Layer("module", top, files, epoch, _module(stack, lock, distribution), shipped=False))
    machine = Layer("host", top, lock.part("host"), epoch, _machine(stack, lock, distribution), tuple(serving))
    loaders = not distribution.installer.pool_loaders
    start = Layer("boot", machine, (), epoch, boot.Options(lock.versions["kernel"], loaders), shipped=False)
    return (*layers, *serving, machine, start, Layer("medium", machine, (), epoch, uses=(start,)))


def with_pool(layers: Sequence[Layer], iso: str, sources: str) -> tuple[Layer, ...]:
    """Returns the layers with one on the machine's that makes apt trust the pool of Canonical's medium.

    `iso` is the medium's sha256 (hex), `sources` the deb822 source with the pool's key.
    """
    machine = next(layer for layer in layers if layer.name == "host")
    index = layers.index(machine) + 1
    return (*layers[:index], Layer("pool", machine, (), machine.epoch, pool.Options(iso, sources)), *layers[index:])


def environment(lock: Lock) -> str:
    """Returns the prefix of the Python environment that is active on the machine."""
    prefixes = {file.environment for file in lock.files if file.kind == "conda"} - {BASE}
    return prefix(min(prefixes)) if prefixes else ENVIRONMENT


def site_packages(lock: Lock, version: str) -> str:
    """Returns where the interpreter of that environment, of a minor version of Python, keeps its packages."""
    return SITE_PACKAGES.format(environment=environment(lock), version=version)


def prefix(name: str) -> str:
    """Returns the prefix of a conda environment."""
    return CONDA if name == BASE else f"{CONDA}/envs/{name}"


def _environment(stack: Stack, lock: Lock, files: Iterable[LockedFile]) -> Environment:
    """Returns the environment, with the conda packages among these files."""
    packages: dict[str, list[str]] = {}
    for file in files:
        if file.kind == "conda":
            packages.setdefault(prefix(file.environment), []).append(file.file)
    return Environment(
        environment(lock),
        site_packages(lock, stack.python.version),
        cuda_version=series(lock.versions.get("cuda", "")),
        conda=packages,
    )


def _doctor(lock: Lock) -> doctor.Options:
    """Returns where PyInstaller and the doctor's wheels are installed, for the distribution's own Python."""
    version = platform.system_python((*lock.part("base"), *lock.part("doctor")))
    return doctor.Options(SITE_PACKAGES.format(environment=doctor.ENVIRONMENT, version=version))


def _machine(stack: Stack, lock: Lock, distribution: Distribution) -> host.Options:
    names = {"python": "Python", "pytorch": "PyTorch"}
    parts = [f"{names[name]} {series(lock.versions[name])}" for name in names if name in lock.versions]
    jupyter = "jupyterlab" in lock.versions
    return host.Options(
        kernel=lock.versions["kernel"],
        driver=lock.versions.get("driver", ""),
        sources_file=distribution.sources_file,
        sources=distribution.sources,
        jupyter_environment=environment(lock) if jupyter else "",
        jupyter_kernel=", ".join(parts) if jupyter else "",
        enable=stack.services.enable,
        disable=stack.services.disable,
        expect=stack.gpu.expect or 0,
        doctor=DOCTOR if lock.part("doctor") else "",
    )


def _release_date(stack: Stack, lock: Lock) -> int:
    """Returns the time (seconds since 1970) that no file of a layer is younger than: the suite's own date.

    It stays the same from one point release to the next, while the lock's own date moves with every security update;
    that would rebuild all layers for a package of one.
    """
    dates = [parsedate_to_datetime(archive.date) for archive in lock.archives if archive.suite == stack.system.suite]
    return min((int(date.timestamp()) for date in dates), default=lock.source_date_epoch)


def recipe_digest(name: str) -> str:
    """Returns the hash of the source that decides what a layer becomes (`recipe_sources`)."""
    sources = [hashlib.sha256(source.read_bytes()).hexdigest() for source in recipe_sources(name)]
    return hashlib.sha256("".join(sources).encode()).hexdigest()


@cache
def recipe_sources(name: str) -> tuple[Path, ...]:
    """Returns the files of this package that decide what a layer becomes, sorted.

    They are what runs its recipe, all that the recipe imports, its `PROGRAMS` (modules that run apart from it or in the
    layer) with all that these import, and its `DATA` (patterns within the package: what it reads).
    """
    recipe = importlib.import_module(f"rigforge.layers.recipes.{name}")
    modules = (*RUNNERS, recipe.__name__, *getattr(recipe, "PROGRAMS", ()))
    data = {file for pattern in getattr(recipe, "DATA", ()) for file in closure.PACKAGE.glob(pattern)}
    return tuple(sorted({*closure.files(*modules), *data}))


def _module(stack: Stack, lock: Lock, distribution: Distribution) -> module.Options:
    """Returns what the module is for, with the MOK's files and the certificate's digest: another key signs it anew."""
    versions = {name: lock.versions[name] for name in ("kernel", "kernel_package_version", "driver")}
    unsigned = module.Options(**versions, support=distribution.driver.support)
    if not stack.secure_boot.key:
        return unsigned
    key, certificate = Path(stack.secure_boot.key), Path(stack.secure_boot.certificate)
    for file in (key, certificate):
        if not file.is_file():
            raise RigforgeError(
                f"[secure_boot]: there is no file {file}",
                "make a key pair: openssl req -new -x509 -newkey rsa:2048 -nodes -days 36500 -subj '/CN=MOK/' "
                "-keyout mok.key -out mok.pem",
            )
    return replace(
        unsigned,
        signing_key=str(key.resolve()),
        signing_certificate=str(certificate.resolve()),
        certificate_sha256=hashlib.sha256(certificate.read_bytes()).hexdigest(),
    )
