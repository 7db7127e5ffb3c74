"""What a built machine must be like, as the image tests read it, and the stand-in values for a test install."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict

from rigforge import distributions, installers
from rigforge.autoinstall import access
from rigforge.images.description import Description
from rigforge.layers.plan import environment
from rigforge.lock.model import Lock
from rigforge.rules import network
from rigforge.stack.model import Stack

TEST_USER = "rigforge"
TEST_HOSTNAME = "rigforge-test"
#: Of a disk that is encrypted for a test.
TEST_PASSPHRASE = "rigforge test"


class Expectations(BaseModel):
    """What the image tests compare a machine, or later a container, with.

    `versions` has the lock's keys (kernel, driver, cuda, cudnn, pytorch, python, jupyterlab), as far as they apply.
    `firmware` is "bios", "uefi" or "secureboot" for a machine, `image` the name of a container image; the other is "".
    `installer` is who installed the machine: "rigforge", or "subiquity", Canonical's. `layers` are names, bottom first.
    With `gpu` there is a GPU to compute on. `debs` and `wheels` are versions by name, of all that is installed from
    the lock; empty where that is not known. `pool` are the packages on Canonical's medium, as "grub-pc 2.12-1ubuntu7",
    without epochs. `archives` are suite and component, as "bookworm main". `open_ports` are
    those besides SSH's, as "8888/tcp", `wireguard` names of interfaces.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stack: str
    firmware: str = ""
    image: str = ""
    installer: str = ""
    hostname: str = ""
    username: str = ""
    locale: str = ""
    timezone: str = ""
    layout: str = ""
    env: str
    medium_id: str = ""
    module_signed: bool = False
    gpu: bool = False
    versions: Mapping[str, str] = {}
    services: tuple[str, ...] = ()
    archives: tuple[str, ...] = ()
    open_ports: tuple[str, ...] = ()
    wireguard: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    debs: Mapping[str, str] = {}
    pool: tuple[str, ...] = ()
    wheels: Mapping[str, str] = {}

    @property
    def parts(self) -> frozenset[str]:
        """Returns what there is to test: versions, layers, kind of system, installer, and what the fields name."""
        kind = {"machine", self.installer} if self.firmware else {"container"}
        fields = {name for name in ("gpu", "debs", "wheels", "archives", "wireguard") if getattr(self, name)}
        # The wheels for CUDA 12, which have a suffix, are without the compiler itself; NVIDIA's own archive has it.
        of_archive = any(re.fullmatch(r"cuda-nvcc-\d+-\d+", name) for name in self.debs)
        nvcc = {"nvcc"} if of_archive or "nvidia-cuda-nvcc" in self.wheels else set()
        upgrades = {"unattended-upgrades"} & set(self.debs)
        # With a GPU a container has its host's driver, whatever version that is.
        driver = {"driver"} if self.gpu else set()
        return frozenset(self.versions) | frozenset(self.layers) | kind | fields | nvcc | upgrades | driver


def expectations(
    stack: Stack, lock: Lock, firmware: str, medium: Mapping[str, Any], pool: Iterable[str] = ()
) -> Expectations:
    """Returns what a machine installed from `medium` (its rigforge/medium.json) must be like.

    `pool` are the paths of the medium's packages.
    """
    layers = tuple(layer.removesuffix(".squashfs") for layer in medium["layers"])
    installer = installers.of_medium(medium)
    return Expectations(
        stack=stack.name,
        firmware=firmware,
        installer=installer,
        hostname=stack.machine.hostname,
        username=stack.machine.username,
        locale=stack.machine.locale,
        timezone=stack.machine.timezone,
        layout=stack.storage.layout,
        env=environment(lock) if "python" in lock.versions else "",
        medium_id=medium["id"],
        # Canonical signs the modules of its own kernels.
        module_signed=bool(stack.secure_boot.certificate) or installer == "subiquity",
        versions=dict(lock.versions),
        services=tuple(stack.services.enable),
        archives=tuple(f"{it.suite} {part}" for it in distributions.of(stack).archives for part in it.components),
        open_ports=access.open_ports(stack),
        wireguard=tuple(name for name, _ in access.wireguard(stack.network)),
        layers=layers,
        debs=_installed(lock, "deb", layers),
        pool=tuple(sorted(" ".join(unquote(Path(deb).name).split("_")[:2]) for deb in pool)),
        wheels=_installed(lock, "wheel", layers),
    )


def of_image(description: Description, lock: Lock, driver: str, *, gpu: bool) -> Expectations:
    """Returns what a container must be like into which the user space of `driver` ("" for none), or a GPU, was put."""
    layers = tuple(description.layers)
    return Expectations(
        stack=description.stack,
        image=description.image,
        # Made with the layer cuda, in the image `base` it is there although nobody is to use it.
        env=environment(lock) if {"cuda", "python"} & set(layers) else "",
        versions={**description.versions, **({"driver": driver} if driver else {})},
        layers=layers,
        gpu=gpu,
        debs=_installed(lock, "deb", layers),
        wheels=_installed(lock, "wheel", layers),
    )


def _installed(lock: Lock, kind: str, layers: Collection[str]) -> dict[str, str]:
    """Returns the versions, by name, of the lock's files of one kind in these layers."""
    return {file.name: file.version for file in lock.files if file.kind == kind and file.layer in layers}


def stand_in(stack: Stack, public_key: str) -> Stack:
    """Returns `stack` as it is installed for a test: our user, key and passphrase, DHCP, any disk.

    Tunnels need no network card, and stay.
    """
    machine = {
        "hostname": TEST_HOSTNAME,
        "username": TEST_USER,
        "ssh_authorized_keys": (public_key,),
        "password_hash": "",
    }
    storage = {"passphrase": TEST_PASSPHRASE if stack.storage.layout == "luks" else "", "match": ()}
    tunnels = {"tunnels": stack.network["tunnels"]} if "tunnels" in stack.network else {}
    return stack.model_copy(
        update={
            "machine": stack.machine.model_copy(update=machine),
            "storage": stack.storage.model_copy(update=storage),
            "network": {**network.DEFAULT, **tunnels},
            "install": stack.install.model_copy(update={"shutdown": "reboot"}),
        }
    )
