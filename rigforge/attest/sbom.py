"""The software bill of materials of an ISO or a container image: CycloneDX 1.6, as JSON.

It is made from the lock and from the layers as they were built, so the same lock gives the same bytes. A component
is a locked file that was installed, with the sha256 of that very file; only the kernel module was made here.
Source: CycloneDX specification 1.6 (ECMA-424); Package URL specification, types conda, deb and pypi.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType, Pedigree
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.license import License
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from rigforge import __version__
from rigforge.artifacts.artifact import Subject
from rigforge.attest import licences
from rigforge.attest.licences import Licence
from rigforge.attest.tree import find
from rigforge.doctor.build import PROGRAM
from rigforge.errors import RigforgeError
from rigforge.layers.build import Cache
from rigforge.layers.plan import Layer
from rigforge.lock.doctor import LAYER as DOCTOR
from rigforge.lock.model import Lock, digest
from rigforge.records.file import LockedFile

#: The layer that compiles the kernel module, and its product.
MODULE = "module"
PRODUCT = "nvidia-modules.deb"

#: Packages of firmware and microcode, by the names that Debian and Ubuntu give them.
FIRMWARE = re.compile(r"firmware-.+|.+-firmware|.+-microcode")

#: The packages of the layer `module` that the kernel module is compiled from: its source and the kernel's headers.
SOURCES = re.compile(r".+-dkms(-.+)?|nvidia-dkms-.+|linux-headers-.+")

#: Stands in the text until the serial number is known, which is derived from the text.
_NO_SERIAL = UUID(int=0)

#: The two lines of os-release(5) that count; whatever else is in it is nobody's affair here.
_FIELD = re.compile(r"""^(ID|VERSION_ID)=["']?([a-z0-9._-]+)["']?\s*$""", re.MULTILINE)

_FACTORY = LicenseFactory()


def sbom(subject: Subject, lock: Lock, layers: Sequence[Layer], cache: Cache) -> str:
    """Returns the bill of an artifact made of `layers`, bottom first, which are built; only shipped ones count.

    Its time is the lock's, and its serial number follows from its content. What the kernel module was compiled with
    is not in the artifact and not in the bill; what it was compiled from is in the module's pedigree. So is what
    rigforge-doctor was packed from, where the layer `doctor` is among them.
    Raises RigforgeError where the compiled module or the program is not where the artifact got it from.
    """
    shipped = [layer for layer in layers if layer.shipped]
    distribution = Distribution.of([cache.rootfs(layer) for layer in reversed(shipped)])
    components = [component for layer in shipped for component in _of_layer(layer, distribution, cache)]
    components += [_doctor(layer, distribution, cache) for layer in layers if layer.name == DOCTOR]
    artifact = _artifact(subject, lock)
    bom = Bom(
        serial_number=_NO_SERIAL,
        components=components,
        dependencies=[Dependency(artifact.bom_ref, [Dependency(component.bom_ref) for component in components])],
        metadata=BomMetaData(
            component=artifact,
            tools=ToolRepository(
                components=[Component(type=ComponentType.APPLICATION, name="Rigforge", version=__version__)]
            ),
            timestamp=datetime.fromtimestamp(lock.source_date_epoch, UTC),
        ),
    )
    text = JsonV1Dot6(bom).output_as_string(indent=2) + "\n"
    return text.replace(str(_NO_SERIAL), str(uuid5(NAMESPACE_URL, text)), 1)


@dataclass(frozen=True)
class Distribution:
    """ID and VERSION_ID of os-release(5): debian and 12."""

    id: str
    version: str

    @classmethod
    def of(cls, roots: Sequence[Path]) -> Distribution:
        """Reads them from the root directories of layers, top first. Raises RigforgeError where there are none."""
        file = find("usr/lib/os-release", roots)
        if file is None:
            raise RigforgeError("no layer has usr/lib/os-release", "put the layer base among the layers")
        fields = dict(_FIELD.findall(file.read_text(encoding="utf-8", errors="replace")))
        if not fields.keys() >= {"ID", "VERSION_ID"}:
            raise RigforgeError(f"{file}: there is no ID or no VERSION_ID in it", "is the layer base that of a stack?")
        return cls(fields["ID"], fields["VERSION_ID"])


def purl(file: LockedFile, distribution: Distribution) -> PackageURL:
    """Returns the package URL of a locked file; raises ValueError for a kind of file that has none."""
    if file.kind == "wheel":
        return PackageURL("pypi", None, file.name, file.version)
    if file.kind == "conda":
        channel, _, path = file.file.partition(":")
        stem = file.basename.removesuffix(".conda").removesuffix(".tar.bz2")
        kind = "conda" if file.basename.endswith(".conda") else "tar.bz2"
        qualifiers = {
            "build": stem.rpartition("-")[2],
            "channel": channel,
            "subdir": path.partition("/")[0],
            "type": kind,
        }
        return PackageURL("conda", None, file.name, file.version, qualifiers)
    if file.kind == "deb":
        architecture = file.basename.removesuffix(".deb").rpartition("_")[2]
        return _deb(distribution.id, file.name, file.version, architecture, distribution)
    raise ValueError(f"no package URL is known for a file of the kind {file.kind}: {file.file}")


def _deb(vendor: str, name: str, version: str, architecture: str, distribution: Distribution) -> PackageURL:
    qualifiers = {"arch": architecture, "distro": f"{distribution.id}-{distribution.version}"}
    return PackageURL("deb", vendor, name, version, qualifiers)


def _artifact(subject: Subject, lock: Lock) -> Component:
    """Returns the artifact itself; its version is the lock's digest."""
    return Component(
        type=ComponentType.CONTAINER if subject.kind == "image" else ComponentType.OPERATING_SYSTEM,
        name=subject.name,
        version=f"sha256:{digest(lock)}",
        bom_ref=subject.name,
        properties=[Property(name="rigforge:stack", value=lock.stack)],
    )


def _of_layer(layer: Layer, distribution: Distribution, cache: Cache) -> Iterable[Component]:
    """Yields a component for each file of a layer, and for the kernel module where the layer has one."""
    roots = [cache.rootfs(lower) for lower in reversed(layer.chain())]
    declared = {
        "wheel": _of_wheels(layer, cache),
        "conda": licences.of_conda(sorted(cache.rootfs(layer).glob("opt/conda/**/conda-meta/*.json"))),
    }
    for file in layer.files:
        terms = declared[file.kind].get(file.name, ()) if file.kind in declared else None
        yield _component(file, distribution, licences.of_package(file.name, roots) if terms is None else terms)
    for used in layer.uses:
        if used.name == MODULE:
            yield _module(used, layer, distribution, cache)


def _of_wheels(layer: Layer, cache: Cache) -> Mapping[str, tuple[Licence, ...]]:
    if not any(file.kind == "wheel" for file in layer.files):
        return {}
    return licences.of_wheels(cache.rootfs(layer) / layer.options_by_name["site_packages"].lstrip("/"))


def _component(file: LockedFile, distribution: Distribution, terms: Iterable[Licence]) -> Component:
    url = purl(file, distribution)
    return Component(
        type=ComponentType.FIRMWARE if FIRMWARE.fullmatch(file.name) else ComponentType.LIBRARY,
        name=file.name,
        version=file.version,
        purl=url,
        bom_ref="/".join(filter(None, [file.layer, file.environment, str(url)])),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=file.sha256)],
        licenses=_licences(terms),
        properties=[
            Property(name="rigforge:layer", value=file.layer),
            Property(name="rigforge:file", value=file.file),
        ],
    )


def _module(module: Layer, host: Layer, distribution: Distribution, cache: Cache) -> Component:
    """Returns the kernel module: a package that no archive has, which the layer `module` made for the layer `host`."""
    content = _product(PRODUCT, cache, module, host)
    kernel, driver = module.options_by_name["kernel"], module.options_by_name["driver"]
    url = _deb("rigforge", f"nvidia-modules-{kernel}", driver, "amd64", distribution)
    roots = [cache.rootfs(lower) for lower in reversed(module.chain())]
    sources = [file for file in module.files if SOURCES.fullmatch(file.name)]
    declared = {
        licence for file in sources if "-dkms" in file.name for licence in licences.of_package(file.name, roots)
    }
    properties = {"layer": host.name, "kernel": kernel}
    if certificate := module.options_by_name["certificate_sha256"]:
        properties["certificate_sha256"] = certificate
    return Component(
        type=ComponentType.DEVICE_DRIVER,
        name=url.name,
        version=driver,
        purl=url,
        bom_ref=f"{host.name}/{url}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(content).hexdigest())],
        licenses=_licences(declared),
        properties=[Property(name=f"rigforge:{name}", value=value) for name, value in properties.items()],
        pedigree=Pedigree(ancestors=[_component(file, distribution, ()) for file in sources]),
    )


def _doctor(layer: Layer, distribution: Distribution, cache: Cache) -> Component:
    """Returns rigforge-doctor: a program that no archive has, made of the distribution's Python and of wheels."""
    content = _product(PROGRAM, cache, layer)
    roots = [cache.rootfs(lower) for lower in reversed(layer.chain())]
    of_wheels = _of_wheels(layer, cache)
    sources = {
        file: of_wheels.get(file.name, ()) if file.kind == "wheel" else licences.of_package(file.name, roots)
        for file in layer.files
        if file.kind == "wheel" or file.name.startswith("libpython")
    }
    return Component(
        type=ComponentType.APPLICATION,
        name=PROGRAM,
        version=__version__,
        purl=PackageURL("generic", None, PROGRAM, __version__),
        bom_ref=f"{layer.name}/{PROGRAM}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(content).hexdigest())],
        licenses=_licences({licence for terms in sources.values() for licence in terms}),
        properties=[Property(name="rigforge:layer", value=layer.name)],
        pedigree=Pedigree(ancestors=[_component(file, distribution, terms) for file, terms in sources.items()]),
    )


def _product(name: str, cache: Cache, layer: Layer, *users: Layer) -> bytes:
    """Returns what a layer that is not shipped made, for the layers `users` among others."""
    file = cache.rootfs(layer) / name
    try:
        return file.read_bytes()
    except FileNotFoundError:
        folders = " and ".join(str(cache.layer(one)) for one in (*users, layer))
        raise RigforgeError(
            f"{file} is missing, which the artifact was built with",
            f"remove {folders}: the same command builds what is missing anew",
        ) from None


def _licences(terms: Iterable[Licence]) -> list[License]:
    """Returns licences as CycloneDX has them: one expression, or identifiers and names."""
    entries: list[License] = []
    listed = licences.together(terms)
    for licence in listed:
        if not licence.spdx or (len(listed) > 1 and " " in licence.name):
            entries.append(_FACTORY.make_with_name(licence.name))
        else:
            entries.append(_FACTORY.make_from_string(licence.name))
    return entries
