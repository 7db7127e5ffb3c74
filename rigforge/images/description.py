"""Which layers a container image has, and what it tells of itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rigforge import __version__
from rigforge.compat.cuda import OLDEST_DRIVER, major
from rigforge.images import oci
from rigforge.images.blob import Blob
from rigforge.layers.conda import activated
from rigforge.layers.environment import CONDA, CUDA_ROOT, ENVIRONMENT
from rigforge.layers.plan import Layer
from rigforge.lock.model import Lock, digest
from rigforge.stack.model import Stack

#: The layers of each image; it is made where the stack has the last of them. A machine has `host` besides.
IMAGES = {"base": ("base", "cuda"), "runtime": ("base", "cuda", "python"), "dev": ("base", "cuda", "python", "devel")}

#: What the lock knows of the machine only, and of the layer python.
_OF_THE_MACHINE = {"driver", "kernel", "kernel_package_version"}
_OF_PYTHON = {"conda", "jupyterlab", "python", "pytorch"}

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PREFIX = "io.rigforge"


@dataclass(frozen=True)
class Description:
    """What an image says of itself, in /etc/rigforge/manifest.json.

    `lock` is the sha256 (hex) of the lock file, `layers` maps their names to the digests of their tars, `versions` are
    the lock's, and `requires` has the oldest driver that the image's CUDA runs on, where there is CUDA.
    """

    stack: str
    image: str
    lock: str
    layers: Mapping[str, str]
    versions: Mapping[str, str]
    requires: Mapping[str, str]

    @classmethod
    def of(cls, stack: Stack, lock: Lock, image: str, layers: Mapping[str, Blob]) -> Description:
        """Describes an image of a stack with these layers."""
        absent = _OF_THE_MACHINE | (set() if "python" in layers else _OF_PYTHON)
        versions = {name: version for name, version in sorted(lock.versions.items()) if name not in absent}
        requires = {"driver": OLDEST_DRIVER[major(versions["cuda"])]} if "cuda" in versions else {}
        digests = {name: layer.diff_id for name, layer in layers.items()}
        return cls(stack.name, image, digest(lock), digests, versions, requires)

    def to_json(self) -> str:
        """Returns the manifest. An image without CUDA has no `requires`: by that the entry point knows it."""
        facts = {name: fact for name, fact in asdict(self).items() if name != "requires" or fact}
        return json.dumps(facts, indent=2, sort_keys=True) + "\n"

    def config(self, epoch: int, environment: str = ENVIRONMENT, source: str = "") -> dict[str, Any]:
        """Returns what follows from stack and lock (of `epoch`) of a configuration; the Dockerfile adds the rest.

        `environment` is the prefix of the Python environment, where the image has Python; `source` is where the
        stack's source is to be had, "" where that is nobody's to say.
        """
        env = {"PATH": _SYSTEM_PATH}
        if "python" in self.versions:
            if environment == ENVIRONMENT:
                env |= {"PATH": f"{environment}/bin:{_SYSTEM_PATH}", "VIRTUAL_ENV": environment}
            else:
                env |= {"PATH": f"{environment}/bin:{CONDA}/condabin:{_SYSTEM_PATH}", **activated(environment)}
        if "cuda" in self.versions:
            # The driver's own CUDA may be of any minor version: that is CUDA's minor-version compatibility.
            require = f"cuda>={major(self.versions['cuda'])}.0"
            env |= {"PATH": f"{env['PATH']}:{CUDA_ROOT}/bin", "CUDA_HOME": CUDA_ROOT, "NVIDIA_REQUIRE_CUDA": require}
        labels = {
            "org.opencontainers.image.created": oci.timestamp(epoch),
            "org.opencontainers.image.version": __version__,
            **({"org.opencontainers.image.source": source} if source else {}),
            f"{_PREFIX}.stack": self.stack,
            f"{_PREFIX}.image": self.image,
            f"{_PREFIX}.lock": f"sha256:{self.lock}",
            **{f"{_PREFIX}.version.{name}": version for name, version in self.versions.items()},
        }
        return {"Env": [f"{name}={value}" for name, value in env.items()], "Labels": labels}


def needed(layers: Iterable[Layer], images: Iterable[str]) -> tuple[Layer, ...]:
    """Returns those of a stack's layers that images are made of; all have the program that the layer `doctor` makes."""
    names = {"doctor"}.union(*(IMAGES[image] for image in images))
    return tuple(layer for layer in layers if layer.name in names)


def offered(layers: Sequence[Layer]) -> tuple[str, ...]:
    """Returns the images that can be made of a stack's layers."""
    names = {layer.name for layer in layers}
    return tuple(image for image, parts in IMAGES.items() if image == "base" or parts[-1] in names)
