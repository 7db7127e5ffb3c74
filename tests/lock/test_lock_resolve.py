"""From a stack to its lock, with a real archive and a real index, both small."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rigforge.distributions import debian
from rigforge.errors import RigforgeError
from rigforge.lock.model import Lock, to_text
from rigforge.lock.resolve import resolve
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.load import load
from rigforge.stack.model import Stack
from tests.sources.serving import NOBODY, served
from tests.sources.signed_archive import Key, SignedArchive, key, minimal_system
from tests.sources.wheel_index import WheelIndex

__all__ = ["key"]

OLD, NEW = "535.261.03-1", "535.309.01-1~deb12u1"

STACK = """
[system]
distribution = "debian"
suite = "bookworm"

[[archives]]
role = "debian"
suite = "bookworm"
components = ["main"]
keyring = "KEYRING"

[[archives]]
role = "debian-security"
suite = "bookworm-security"
components = ["main"]
keyring = "KEYRING"

[kernel]
package = "linux-image-amd64"

[packages]
base = ["python3"]
host = ["openssh-server"]
devel = ["g++"]
"""

GPU = """
[driver]
provider = "apt"
version = "535.309.01"
[cuda]
provider = "pypi"
version = "12.8"
[cudnn]
version = "9.10.2.21"
[pytorch]
provider = "pypi"
version = "2.10.0"
[python]
provider = "system"
version = "3.11"
packages = ["jupyterlab"]
[devel]
python_packages = ["nvidia-cuda-nvcc-cu12"]
"""


def written(folder: Path, keyring: Path, *parts: str) -> Stack:
    path = folder / "rig.toml"
    path.write_text("".join([STACK, *parts]).replace("KEYRING", str(keyring)))
    return load(path)


@dataclass
class Workshop:
    """A stack file, and the mirrors that serve what it asks for."""

    folder: Path
    keyring: Path
    mirrors: Mirrors

    def stack(self, *parts: str) -> Stack:
        """Writes the stack `rig`: the least that a stack has, and `parts`."""
        return written(self.folder, self.keyring, *parts)

    def change(self, stack: Stack, old: str, new: str) -> Stack:
        """Replaces a piece of the stack's file."""
        text = stack.path.read_text()
        assert old in text
        stack.path.write_text(text.replace(old, new))
        return load(stack.path)

    def lock(self, stack: Stack, *, previous: Lock | None = None, upgrade: bool = False) -> Lock:
        return resolve(stack, self.mirrors, previous=previous, upgrade=upgrade)


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory, key: Key) -> Path:
    """What Debian has, as far as it is asked for here: Rigforge's own lists, and two kernels and drivers."""
    place = tmp_path_factory.mktemp("archives")
    stack = written(place, key.keyring, GPU)
    main, security = SignedArchive(place / "debian"), SignedArchive(place / "debian-security")
    minimal_system(main, "bookworm")
    main.add("bookworm", "python3", "3.11.2-1+b1", Depends="python3.11")
    main.add("bookworm", "python3.11", "3.11.2-6+deb12u9")
    main.add("bookworm", "openssh-server", "1:9.2p1-2")
    main.add("bookworm", "g++", "4:12.2.0-3")
    for name in debian.medium_packages(stack):
        main.add("bookworm", name)
    for archive, suite, abi in ((main, "bookworm", 55), (security, "bookworm-security", 56)):
        for package in ("image", "headers"):
            archive.add(suite, f"linux-{package}-6.1.0-{abi}-amd64", f"6.1.{abi}-1")
            archive.add(suite, f"linux-{package}-amd64", f"6.1.{abi}-1", Depends=f"linux-{package}-6.1.0-{abi}-amd64")
    for archive, suite, version in ((main, "bookworm", OLD), (security, "bookworm-security", NEW)):
        built = {"Source": "nvidia-graphics-drivers"}
        archive.add(suite, "nvidia-alternative", version, **built)
        for name in {*debian.driver_packages(stack), "nvidia-kernel-dkms"} - {"nvidia-persistenced", "nvidia-modprobe"}:
            archive.add(suite, name, version, Depends=f"nvidia-alternative (= {version})", **built)
    main.add("bookworm", "nvidia-persistenced", "535.171.04-1~deb12u1")
    main.add("bookworm", "nvidia-modprobe", "535.161.07-1~deb12u1")
    main.publish("bookworm", key, Date="Sat, 11 Jul 2026 10:00:00 UTC")
    security.publish("bookworm-security", key, Date="Sat, 21 Nov 2026 00:00:00 UTC")
    return place


@pytest.fixture
def wheels(tmp_path: Path) -> WheelIndex:
    """PyTorch 2.10.0 as on PyPI: it pins its CUDA libraries, and newer parts of the toolkit are there too."""
    index = WheelIndex(tmp_path / "pypi")
    index.add("nvidia-cuda-runtime-cu12", "12.8.90")
    index.add("nvidia-cudnn-cu12", "9.10.2.21")
    pins = ["nvidia-cuda-runtime-cu12==12.8.90", "nvidia-cudnn-cu12==9.10.2.21", "numpy"]
    index.add("torch", "2.10.0", requires=pins)
    index.add("jupyterlab", "4.6.6", requires=["numpy"])
    index.add("numpy", "2.4.0")
    index.add("nvidia-cuda-nvcc-cu12", "12.8.93", requires=["nvidia-cuda-crt-cu12"])
    index.add("nvidia-cuda-nvcc-cu12", "12.9.86")
    index.add("nvidia-cuda-crt-cu12", "12.8.93")
    return index


@pytest.fixture
def workshop(
    archives: Path, wheels: WheelIndex, key: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workshop]:
    monkeypatch.setenv("RIGFORGE_HOME", str(tmp_path / "home"))
    with served(archives) as debs, served(wheels.path) as index:
        urls = {role: f"{debs}/{role}" for role in ("debian", "debian-security")}
        yield Workshop(tmp_path, key.keyring, Mirrors({**urls, "pypi": f"{index}/simple"}))


def names(lock: Lock, layer: str) -> set[str]:
    return {file.name for file in lock.part(layer)}


def versions(lock: Lock) -> dict[str, str]:
    return {file.name: file.version for file in lock.files}


def test_a_stack_without_gpu_software_is_a_base_a_devel_and_a_host(workshop: Workshop) -> None:
    stack = workshop.stack()
    lock = workshop.lock(stack)
    assert (lock.stack, lock.stack_sha256) == ("rig", stack.checksum())
    assert names(lock, "base") == {"apt", "bash", "libc6", "tzdata", "python3", "python3.11"}
    assert names(lock, "devel") == {"g++"}
    assert names(lock, "host") == {
        *debian.medium_packages(stack),
        "openssh-server",
        "linux-image-amd64",
        "linux-image-6.1.0-56-amd64",
    }
    assert not any(lock.part(layer) for layer in ("cuda", "python", "module"))
    assert lock.versions == {"kernel": "6.1.0-56-amd64", "kernel_package_version": "6.1.56-1"}


def test_the_lock_has_the_date_of_the_newest_archive(workshop: Workshop) -> None:
    lock = workshop.lock(workshop.stack())
    assert [(state.suite, state.date) for state in lock.archives] == [
        ("bookworm", "Sat, 11 Jul 2026 10:00:00 UTC"),
        ("bookworm-security", "Sat, 21 Nov 2026 00:00:00 UTC"),
    ]
    assert lock.source_date_epoch == 1795219200


def test_the_full_stack_is_divided_among_the_layers(workshop: Workshop) -> None:
    stack = workshop.stack(GPU)
    lock = workshop.lock(stack)
    assert names(lock, "cuda") == {"nvidia-cuda-runtime-cu12", "nvidia-cudnn-cu12"}
    assert names(lock, "python") == {"torch", "jupyterlab", "numpy"}
    assert names(lock, "devel") == {"g++", "nvidia-cuda-nvcc-cu12", "nvidia-cuda-crt-cu12"}
    assert names(lock, "module") == {
        "nvidia-kernel-dkms",
        "nvidia-alternative",
        "linux-headers-amd64",
        "linux-headers-6.1.0-56-amd64",
    }
    assert set(debian.driver_packages(stack)) < names(lock, "host")
    assert lock.versions == {
        "kernel": "6.1.0-56-amd64",
        "kernel_package_version": "6.1.56-1",
        "driver": "535.309.01",
        "cuda": "12.8.90",
        "cudnn": "9.10.2.21",
        "pytorch": "2.10.0",
        "python": "3.11.2",
        "jupyterlab": "4.6.6",
    }


def test_what_compiling_the_module_needs_is_not_taken_from_the_host(workshop: Workshop) -> None:
    """The layer module is not shipped: what both need must be in the host as well."""
    lock = workshop.lock(workshop.stack(GPU))
    assert "nvidia-alternative" in names(lock, "module") & names(lock, "host")


def test_the_same_stack_and_archives_give_the_same_bytes(workshop: Workshop) -> None:
    stack = workshop.stack(GPU)
    assert to_text(workshop.lock(stack)) == to_text(workshop.lock(stack))


def test_files_are_named_by_role_and_never_by_host(workshop: Workshop) -> None:
    lock = workshop.lock(workshop.stack(GPU))
    assert {file.file.partition(":")[0] for file in lock.files} == {"debian", "debian-security", "pypi"}
    assert "127.0.0.1" not in to_text(lock)


def test_nvcc_is_of_the_cuda_release_of_the_libraries_although_a_newer_one_is_there(workshop: Workshop) -> None:
    assert versions(workshop.lock(workshop.stack(GPU)))["nvidia-cuda-nvcc-cu12"] == "12.8.93"


def test_a_version_that_the_stack_gives_a_part_of_the_toolkit_holds(workshop: Workshop) -> None:
    stack = workshop.change(workshop.stack(GPU), '["nvidia-cuda-nvcc-cu12"]', '["nvidia-cuda-nvcc-cu12>=12.9"]')
    assert versions(workshop.lock(stack))["nvidia-cuda-nvcc-cu12"] == "12.9.86"


def test_devel_cannot_change_what_the_machine_runs(workshop: Workshop, wheels: WheelIndex) -> None:
    wheels.add("numpy", "1.26.4")
    wheels.add("old-tool", "1.0", requires=["numpy<2"])
    stack = workshop.change(workshop.stack(GPU), '["nvidia-cuda-nvcc-cu12"]', '["old-tool"]')
    with pytest.raises(RigforgeError, match="numpy<2") as error:
        workshop.lock(stack)
    assert "old-tool (devel.python_packages)" in error.value.hint


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"12.8"', '"13.0"', r"cuda\.version = '13\.0', but the wheels of PyTorch 2\.10\.0 bring 12\.8\.90"),
        ('"12.8"', '"12.8.9"', r"cuda\.version = '12\.8\.9', but"),
        ("9.10.2.21", "9.24.0.43", r"cudnn\.version = '9\.24\.0\.43', but the wheels .* bring 9\.10\.2\.21"),
    ],
)
def test_another_cuda_or_cudnn_than_pytorch_brings_is_refused(
    workshop: Workshop, old: str, new: str, complaint: str
) -> None:
    with pytest.raises(RigforgeError, match=complaint):
        workshop.lock(workshop.change(workshop.stack(GPU), old, new))


def test_the_driver_asked_for_is_taken_with_all_its_parts_although_a_newer_one_is_there(workshop: Workshop) -> None:
    lock = workshop.lock(workshop.change(workshop.stack(GPU), "535.309.01", "535.261.03"))
    found = versions(lock)
    assert {found[name] for name in ("libcuda1", "nvidia-smi", "nvidia-kernel-dkms", "nvidia-alternative")} == {OLD}
    assert lock.versions["driver"] == "535.261.03"
    assert found["nvidia-persistenced"] == "535.171.04-1~deb12u1"


def test_a_driver_that_the_archives_do_not_have_is_refused_with_those_they_have(workshop: Workshop) -> None:
    with pytest.raises(RigforgeError, match=r"driver\.version = '580\.65\.06' is not in the stack's archives") as error:
        workshop.lock(workshop.change(workshop.stack(GPU), "535.309.01", "580.65.06"))
    assert "535.309.01 and 535.261.03" in error.value.hint


def test_python_of_another_series_than_the_distribution_s_is_refused(workshop: Workshop) -> None:
    with pytest.raises(RigforgeError, match=r"python\.version = '3\.13', but the Python of bookworm is 3\.11\.2"):
        workshop.lock(workshop.change(workshop.stack(GPU), '"3.11"', '"3.13"'))


def test_python_wishes_without_python_in_the_base_are_refused(workshop: Workshop) -> None:
    with pytest.raises(RigforgeError, match="the layer base has no python3") as error:
        workshop.lock(workshop.change(workshop.stack(GPU), 'base = ["python3"]', "base = []"))
    assert "packages.base" in error.value.hint


def test_two_kernels_are_refused(workshop: Workshop) -> None:
    stack = workshop.change(workshop.stack(), '["openssh-server"]', '["linux-image-6.1.0-55-amd64"]')
    with pytest.raises(RigforgeError, match=r"brings 6\.1\.0-5[56]-amd64 and 6\.1\.0-5[56]-amd64"):
        workshop.lock(stack)


def test_a_package_that_does_not_exist_is_told_with_its_key(workshop: Workshop) -> None:
    stack = workshop.change(workshop.stack(), '["openssh-server"]', '["openssh-sever"]')
    with pytest.raises(RigforgeError, match=r"openssh-sever \(asked for by packages\.host\)") as error:
        workshop.lock(stack)
    assert "openssh-server" in error.value.hint


def test_a_lock_of_the_stack_as_it_is_is_returned_without_asking_anybody(workshop: Workshop) -> None:
    stack = workshop.stack(GPU)
    lock = workshop.lock(stack)
    workshop.mirrors = Mirrors(dict.fromkeys(("debian", "debian-security", "pypi"), NOBODY))
    assert workshop.lock(stack, previous=lock) is lock


def test_a_changed_stack_keeps_the_versions_of_wheels_and_an_upgrade_takes_new_ones(
    workshop: Workshop, wheels: WheelIndex
) -> None:
    stack = workshop.stack(GPU)
    lock = workshop.lock(stack)
    wheels.add("numpy", "2.5.0")
    wheels.add("pandas", "3.0")
    stack = workshop.change(stack, '["jupyterlab"]', '["jupyterlab", "pandas"]')
    changed = workshop.lock(stack, previous=lock)
    assert (versions(changed)["numpy"], versions(changed)["pandas"]) == ("2.4.0", "3.0")
    assert changed.stack_sha256 == stack.checksum()
    assert versions(workshop.lock(stack, previous=changed, upgrade=True))["numpy"] == "2.5.0"
