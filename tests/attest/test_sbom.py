"""What an SBOM lists, and that the format's own validator takes it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from built_layers import DOCTOR, FILES, LOCK, MODULE, build, lay, rebuild_without_module
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from rigforge.artifacts.artifact import Subject
from rigforge.attest.sbom import Distribution, purl, sbom
from rigforge.errors import RigforgeError
from rigforge.images.description import IMAGES, needed
from rigforge.layers.plan import Layer
from rigforge.lock.model import read, to_text
from rigforge.paths import PROJECT
from rigforge.records.file import NOT_SHIPPED, LockedFile

ISO = Subject("rigforge-debian-12.iso", "system")
DEBIAN = Distribution("debian", "12")
SHIPPED = [file for file in FILES if file.layer not in NOT_SHIPPED]


def of_iso(directory: Path) -> dict[str, Any]:
    layers, cache = build(directory)
    bill: dict[str, Any] = json.loads(sbom(ISO, LOCK, layers, cache))
    return bill


def of_image(directory: Path, image: str) -> dict[str, Any]:
    layers, cache = build(directory)
    own = needed(layers, [image])
    bill: dict[str, Any] = json.loads(sbom(Subject(f"debian-12-{image}", "image"), LOCK, own, cache))
    return bill


def properties(component: dict[str, Any]) -> dict[str, str]:
    return {one["name"].removeprefix("rigforge:"): one["value"] for one in component["properties"]}


def listed(bill: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Layer, file and sha256 of all components that are locked files."""
    with_file = [(properties(one), one) for one in bill["components"] if "file" in properties(one)]
    return sorted((given["layer"], given["file"], one["hashes"][0]["content"]) for given, one in with_file)


def in_lock(files: list[LockedFile]) -> list[tuple[str, str, str]]:
    return sorted((file.layer, file.file, file.sha256) for file in files)


def named(bill: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (one for one in bill["components"] if one["name"] == name)
    return dict(found)


def complaint(text: str) -> object:
    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)


def test_the_formats_own_validator_takes_it(tmp_path: Path) -> None:
    layers, cache = build(tmp_path)
    text = sbom(ISO, LOCK, layers, cache)
    assert complaint(text) is None
    assert complaint(text.replace('"type": "firmware"', '"type": "fir"')) is not None


def test_an_iso_has_every_locked_file_of_its_layers_once(tmp_path: Path) -> None:
    assert listed(of_iso(tmp_path)) == in_lock(SHIPPED)


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_every_locked_file_of_its_own_layers_once(image: str, tmp_path: Path) -> None:
    bill = of_image(tmp_path, image)
    assert listed(bill) == in_lock([file for file in FILES if file.layer in IMAGES[image]])
    assert complaint(json.dumps(bill)) is None


def test_references_are_unique_and_the_artifact_depends_on_all_components(tmp_path: Path) -> None:
    bill = of_iso(tmp_path)
    references = [one["bom-ref"] for one in bill["components"]]
    assert len(references) == len(set(references))
    (graph,) = (one for one in bill["dependencies"] if one["ref"] == ISO.name)
    assert sorted(graph["dependsOn"]) == sorted(references)


def test_a_package_that_also_served_to_compile_makes_no_reference_twice(tmp_path: Path) -> None:
    """As with [driver] dkms, where the module's source is on the machine as well."""
    source = next(file for file in FILES if file.name == "nvidia-kernel-dkms")
    lock = replace(LOCK, files=(*FILES, replace(source, layer="host")))
    layers, cache = build(tmp_path, lock)
    assert complaint(sbom(ISO, lock, layers, cache)) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bash", "pkg:deb/debian/bash@5.2.15-2%2Bb13?arch=amd64&distro=debian-12"),
        ("passwd", "pkg:deb/debian/passwd@1:4.13%2Bdfsg1-1%2Bdeb12u1?arch=amd64&distro=debian-12"),
        ("tzdata", "pkg:deb/debian/tzdata@1.0-1?arch=all&distro=debian-12"),
        ("torch", "pkg:pypi/torch@2.10.0"),
        ("nvidia-cublas-cu12", "pkg:pypi/nvidia-cublas-cu12@12.8.4.1"),
    ],
)
def test_package_urls_say_archive_version_and_architecture(name: str, expected: str, tmp_path: Path) -> None:
    assert named(of_iso(tmp_path), name)["purl"] == expected


def test_a_conda_package_has_its_build_its_channel_and_its_own_licence(tmp_path: Path) -> None:
    file = "conda-forge:linux-64/bash-5.2-h1_0.conda"
    package = LockedFile("python", "conda", "bash", "5.2", file, 1, "0" * 64, "rig")
    base = replace(package, environment="base")
    lock = replace(LOCK, files=(*LOCK.files, package, base))
    layers, cache = build(tmp_path, lock)
    (python,) = (layer for layer in layers if layer.name == "python")
    known = '{"name": "bash", "license": "BSD-3-Clause"}'
    records = {f"opt/conda/{place}conda-meta/bash-5.2-h1_0.json": known for place in ("", "envs/rig/")}
    lay(cache.rootfs(python), records)
    bill = json.loads(sbom(Subject("x.iso", "system"), lock, layers, cache))
    found = [one for one in bill["components"] if one["purl"].startswith("pkg:conda/")]
    url = "pkg:conda/bash@5.2?build=h1_0&channel=conda-forge&subdir=linux-64&type=conda"
    assert [(one["bom-ref"], one["licenses"]) for one in found] == [
        (f"python/{name}/{url}", [{"license": {"id": "BSD-3-Clause"}}]) for name in ("base", "rig")
    ]


@pytest.mark.parametrize("stack", ["debian-12", "smoke"])
def test_package_urls_of_the_committed_locks_can_be_read_back(stack: str) -> None:
    shipped = [file for file in read(PROJECT / f"stacks/{stack}.lock").files if file.layer not in NOT_SHIPPED]
    urls = [purl(file, DEBIAN).to_string() for file in shipped]
    assert len(set(urls)) == len(shipped)
    for file, text in zip(shipped, urls, strict=True):
        url = PackageURL.from_string(text)
        assert (url.name, url.version, url.to_string()) == (file.name, file.version, text)


def test_a_kind_of_file_without_a_package_url_is_refused() -> None:
    with pytest.raises(ValueError, match="kind iso"):
        purl(replace(FILES[0], kind="iso", file="debian:x.iso"), DEBIAN)


def test_firmware_and_microcode_are_called_so(tmp_path: Path) -> None:
    kinds = {one["name"]: one["type"] for one in of_iso(tmp_path)["components"]}
    assert {name for name, kind in kinds.items() if kind == "firmware"} == {"firmware-nvidia-gsp", "intel-microcode"}


def test_the_compiled_module_has_its_own_digest_and_its_ancestors(tmp_path: Path) -> None:
    module = named(of_iso(tmp_path), "nvidia-modules-6.1.0-56-amd64")
    assert (module["type"], module["version"]) == ("device-driver", "535.309.01")
    assert module["hashes"][0]["content"] == hashlib.sha256(MODULE).hexdigest()
    assert properties(module)["kernel"] == "6.1.0-56-amd64"
    ancestors = [one["name"] for one in module["pedigree"]["ancestors"]]
    assert ancestors == ["linux-headers-6.1.0-56-amd64", "nvidia-kernel-dkms"]


def test_the_doctor_has_its_own_digest_and_what_it_was_packed_from(tmp_path: Path) -> None:
    doctor = named(of_iso(tmp_path), "rigforge-doctor")
    assert doctor["hashes"][0]["content"] == hashlib.sha256(DOCTOR).hexdigest()
    assert doctor["licenses"] == [{"license": {"id": "MIT"}}]
    assert [one["name"] for one in doctor["pedigree"]["ancestors"]] == ["libpython3.11", "pydantic"]


@pytest.mark.parametrize("image", IMAGES)
def test_every_image_has_the_doctor_of_the_machine(tmp_path: Path, image: str) -> None:
    machine, container = (
        named(bill, "rigforge-doctor") for bill in (of_iso(tmp_path / "a"), of_image(tmp_path / "b", image))
    )
    assert machine == container


def test_no_image_has_the_module(tmp_path: Path) -> None:
    assert "nvidia-modules" not in json.dumps(of_image(tmp_path, "dev"))


def test_a_module_that_is_gone_is_named_with_what_to_do(tmp_path: Path) -> None:
    layers, cache = build(tmp_path)
    rebuild_without_module(layers, cache)
    with pytest.raises(RigforgeError, match=r"nvidia-modules\.deb is missing") as caught:
        sbom(ISO, LOCK, layers, cache)
    assert "builds what is missing anew" in caught.value.hint


def test_a_signed_module_names_the_certificate(tmp_path: Path) -> None:
    layers, cache = build(tmp_path)
    (host,) = (layer for layer in layers if layer.name == "host")
    signed = replace(host.uses[-1], options=replace(host.uses[-1].options, certificate_sha256="ab" * 32))
    signed_host = replace(host, uses=(signed,))
    for old, new in ((host.uses[-1], signed), (host, signed_host)):
        cache.layer(old).rename(cache.layer(new))
    own: list[Layer] = [signed_host if layer is host else layer for layer in layers if layer.name in ("base", "host")]
    module = named(json.loads(sbom(ISO, LOCK, own, cache)), "nvidia-modules-6.1.0-56-amd64")
    assert properties(module)["certificate_sha256"] == "ab" * 32


def test_licences_are_there_where_they_are_known(tmp_path: Path) -> None:
    bill = of_iso(tmp_path)
    assert named(bill, "torch")["licenses"] == [{"license": {"id": "MIT"}}]
    assert named(bill, "bash")["licenses"] == [{"license": {"name": "GPL-3"}}]
    assert "licenses" not in named(bill, "gcc-12")


def test_it_says_what_it_is_of_and_when_and_by_what(tmp_path: Path) -> None:
    bill = of_iso(tmp_path)
    about = bill["metadata"]
    assert about["timestamp"] == "2026-11-22T02:09:05+00:00"
    assert about["component"]["name"] == ISO.name
    assert about["component"]["version"] == f"sha256:{hashlib.sha256(to_text(LOCK).encode()).hexdigest()}"
    assert [tool["name"] for tool in about["tools"]["components"]] == ["Rigforge"]
    assert UUID(bill["serialNumber"].removeprefix("urn:uuid:")).version == 5


def test_the_serial_number_follows_from_the_content(tmp_path: Path) -> None:
    layers, cache = build(tmp_path)
    first = json.loads(sbom(ISO, LOCK, layers, cache))["serialNumber"]
    other = json.loads(sbom(replace(ISO, name="other.iso"), LOCK, layers, cache))["serialNumber"]
    assert first != other


def test_the_same_lock_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from built_layers import LOCK, build;"
        "from rigforge.artifacts.artifact import Subject; from rigforge.attest.sbom import sbom;"
        "layers, cache = build(Path(sys.argv[1]));"
        "print(sbom(Subject('x.iso', 'system'), LOCK, layers, cache))"
    )
    path = os.pathsep.join([str(Path(__file__).parent), str(PROJECT)])
    texts = [
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / seed)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path, "TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    ]
    assert texts[0] == texts[1]


def test_layers_without_a_system_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RigforgeError, match="os-release"):
        Distribution.of([tmp_path])
