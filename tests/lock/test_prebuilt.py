"""Canonical's modules on Ubuntu: one kernel, its modules and their driver, whatever the archive is in the middle of."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rigforge.lock.model import Lock
from rigforge.sources.mirrors import Mirrors
from tests.lock.ubuntu_desk import Desk, wish
from tests.lock.ubuntu_desk import desk as full
from tests.sources.signed_archive import FlatArchive, key

__all__ = ["full", "key"]

OLD, NEW = "580.95.05", "580.178.04"
BRANCH = "580-server-open"

DeskOf = Callable[[str], Desk]


WITHOUT_PYTHON = "".join(
    [
        wish("cuda", provider="none", version=""),
        wish("cudnn", version=""),
        wish("pytorch", provider="none", version=""),
        wish("python", provider="none", version="", packages=[]),
        wish("devel", python_packages=[]),
    ]
)


@pytest.fixture
def desk(full: DeskOf) -> DeskOf:
    """A desk whose stack has no Python, so that nothing but packages is locked."""

    def made(suite: str) -> Desk:
        here = full(suite)
        here.always = WITHOUT_PYTHON
        here.write()
        return here

    return made


def of_driver(lock: Lock) -> dict[str, dict[str, str]]:
    """Returns the packages of kernel and driver with their versions, by layer."""
    found: dict[str, dict[str, str]] = {}
    for file in lock.files:
        if file.kind == "deb" and ("nvidia" in file.name or file.name.startswith("linux-")):
            found.setdefault(file.layer, {})[file.name] = file.version
    return found


def test_a_branch_leads_to_one_kernel_its_signed_modules_and_one_driver(desk: DeskOf) -> None:
    here = desk("noble")
    here.ubuntu.together()
    lock = here.lock()
    driver, kernel = "580.178.04-0ubuntu0.24.04.1", "6.8.0-88.89"
    assert of_driver(lock) == {
        "host": {
            "libnvidia-cfg1-580-server": driver,
            "libnvidia-compute-580-server": driver,
            "linux-base": "1.0-0ubuntu1",
            "linux-firmware": "1.0-0ubuntu1",
            "linux-image-6.8.0-88-generic": kernel,
            "linux-image-generic": kernel,
            "linux-modules-6.8.0-88-generic": kernel,
            "linux-modules-extra-6.8.0-88-generic": kernel,
            "linux-modules-nvidia-580-server-open-6.8.0-88-generic": f"{kernel}+1",
            "linux-modules-nvidia-580-server-open-generic": f"{kernel}+1",
            "nvidia-compute-utils-580-server": driver,
            "nvidia-firmware-580-server-580.178.04": driver,
            "nvidia-kernel-common-580-server": driver,
            "nvidia-utils-580-server": driver,
        }
    }
    host = {file.name for file in lock.part("host")}
    assert not host & {"dkms", "gcc", "make", "grub-pc", "thermald"}


def test_the_proprietary_modules_come_as_objects_and_signatures_of_one_build(desk: DeskOf) -> None:
    here = desk("noble")
    here.write(more=wish("driver", version="580-server") + wish("gpu", models=["RTX 3090"]))
    here.ubuntu.together()
    here.ubuntu.modules("580-server", 88, pocket="security", version=OLD)
    here.ubuntu.modules("580-server", 88, build="+2")
    host = of_driver(here.lock())["host"]
    built = {name for name, version in host.items() if version == "6.8.0-88.89+2"}
    assert built == {
        "linux-modules-nvidia-580-server-6.8.0-88-generic",
        "linux-modules-nvidia-580-server-generic",
        "linux-objects-nvidia-580-server-6.8.0-88-generic",
        "linux-signatures-nvidia-6.8.0-88-generic",
    }


@pytest.mark.parametrize(
    ("branch", "user_space"), [("580", "580"), ("580-open", "580"), ("580-server", "580-server")], ids=str
)
def test_server_is_of_module_and_user_space_and_open_of_the_module(desk: DeskOf, branch: str, user_space: str) -> None:
    here = desk("noble")
    here.write(more=wish("driver", version=branch) + wish("gpu", models=["RTX 3090"]))
    here.ubuntu.together()
    here.ubuntu.driver("580")
    for each in ("580", "580-open", "580-server"):
        here.ubuntu.modules(each, 88)
    host = of_driver(here.lock())["host"]
    assert f"linux-modules-nvidia-{branch}-6.8.0-88-generic" in host
    assert {name for name in host if name.startswith("nvidia-utils-")} == {f"nvidia-utils-{user_space}"}


def test_a_kernel_without_modules_yet_waits_for_them(desk: DeskOf, capfd: pytest.CaptureFixture[str]) -> None:
    here = desk("noble")
    here.ubuntu.together(pocket="security")
    here.ubuntu.kernel(90)
    lock = here.lock()
    assert lock.versions["kernel"] == "6.8.0-88-generic"
    assert lock.versions["kernel_package_version"] == "6.8.0-88.89"
    assert "for the kernel 6.8.0-90-generic there are no modules yet" in capfd.readouterr().err


def test_jammys_kernel_without_modules_yet_waits_for_them(desk: DeskOf) -> None:
    """Its metapackages have numbers of their own."""
    here = desk("jammy")
    here.ubuntu.together(pocket="security")
    here.ubuntu.kernel(90)
    lock = here.lock()
    assert lock.versions["kernel"] == "5.15.0-88-generic"
    assert lock.versions["kernel_package_version"] == "5.15.0.88.85"


def test_a_kernel_of_which_the_metapackage_is_gone_is_told_with_a_cure(desk: DeskOf) -> None:
    here = desk("noble")
    here.ubuntu.together()
    here.ubuntu.kernel(90)
    here.ubuntu.archive.drop("noble-updates", "linux-image-generic", "6.8.0-88.89")
    error = here.refused()
    assert error.message.startswith(f'{here.file}: [driver] version = "580-server-open": kernel, modules and driver')
    assert "is for the kernel 6.8.0-88-generic, and linux-image-generic leads to 6.8.0-90-generic" in error.message
    assert 'kernel.package = "linux-image-6.8.0-88-generic"' in error.message
    assert "snapshot" in error.hint
    here.write(more=wish("kernel", package="linux-image-6.8.0-88-generic"))
    assert here.lock().versions["kernel"] == "6.8.0-88-generic"


def test_a_kernel_that_is_not_signed_yet_is_not_taken(desk: DeskOf) -> None:
    """The modules would be content with the unsigned one, which Secure Boot refuses."""
    here = desk("noble")
    here.ubuntu.together(88, pocket="security")
    here.ubuntu.together(90)
    here.ubuntu.archive.drop("noble-updates", "linux-image-6.8.0-90-generic", "6.8.0-90.91")
    host = of_driver(here.lock())["host"]
    assert {name for name in host if name.startswith("linux-image-")} == {
        "linux-image-6.8.0-88-generic",
        "linux-image-generic",
    }


def test_a_newer_driver_in_the_security_pocket_is_taken_with_its_modules(desk: DeskOf) -> None:
    here = desk("noble")
    here.ubuntu.together(88, version=OLD)
    here.ubuntu.together(89, version=NEW, pocket="security")
    lock = here.lock()
    assert (lock.versions["driver"], lock.versions["kernel"]) == (NEW, "6.8.0-89-generic")
    assert any(file.file.startswith("ubuntu:pool/noble-security/restricted/") for file in lock.files)


def test_a_driver_that_has_no_modules_yet_is_left_for_the_one_that_has(
    desk: DeskOf, capfd: pytest.CaptureFixture[str]
) -> None:
    here = desk("noble")
    here.ubuntu.together(88, version=OLD, pocket="security")
    here.ubuntu.driver("580-server", version=NEW)
    lock = here.lock()
    driver = {version for name, version in of_driver(lock)["host"].items() if "nvidia-" in name[:13]}
    assert driver == {f"{OLD}-0ubuntu0.24.04.1"}
    assert f"of driver {NEW} there are no modules yet" in capfd.readouterr().err


def test_modules_whose_driver_is_not_there_yet_are_left_for_older_ones(
    desk: DeskOf, capfd: pytest.CaptureFixture[str]
) -> None:
    here = desk("noble")
    here.ubuntu.together(88, version=OLD, pocket="security")
    here.ubuntu.modules(BRANCH, 88, version=NEW, build="+2")
    lock = here.lock()
    assert lock.versions["driver"] == OLD
    assert of_driver(lock)["host"]["linux-modules-nvidia-580-server-open-6.8.0-88-generic"] == "6.8.0-88.89+1"
    assert f"is of driver {NEW}, and of libnvidia-cfg1-580-server there is {OLD}" in capfd.readouterr().err


@pytest.mark.parametrize(("modules", "libraries"), [(OLD, NEW), (NEW, OLD)])
@pytest.mark.parametrize("branch", [BRANCH, "580-server"])
def test_modules_of_another_driver_than_the_libraries_are_refused(
    desk: DeskOf, branch: str, modules: str, libraries: str
) -> None:
    here = desk("noble")
    here.write(more=wish("driver", version=branch))
    here.ubuntu.kernel(88)
    here.ubuntu.driver("580-server", version=libraries)
    here.ubuntu.modules(branch, 88, version=modules)
    error = here.refused()
    assert f'rig.toml: [driver] version = "{branch}"' in error.message
    assert f"is of driver {modules}, and of libnvidia-cfg1-580-server there is {libraries}" in error.message
    assert "try again in some days" in error.hint


def test_nvidias_own_packages_of_the_same_names_are_not_mixed_in(desk: DeskOf) -> None:
    """As where a stack takes nvcc from there: they are newer in their revision."""
    here = desk("noble")
    here.ubuntu.kernel(88)
    here.ubuntu.driver("580")
    here.ubuntu.modules("580-open", 88)
    archive = FlatArchive(here.folder / "served/nvidia")
    for name in ("libnvidia-cfg1", "libnvidia-compute", "nvidia-compute-utils", "nvidia-kernel-common", "nvidia-utils"):
        archive.add(f"{name}-580", f"{NEW}-1ubuntu1", Source="nvidia-graphics-drivers")
    archive.publish(here.key)
    here.mirrors = Mirrors({**here.mirrors.urls, "nvidia": here.mirrors.url("ubuntu").replace("ubuntu", "nvidia")})
    flat = f'\n[[archives]]\nrole = "nvidia"\nsuite = "/"\nkeyring = "{here.key.keyring}"\n'
    here.write(archives=flat, more=wish("driver", version="580-open"))
    user_space = {name: version for name, version in of_driver(here.lock())["host"].items() if name.endswith("-580")}
    assert set(user_space.values()) == {f"{NEW}-0ubuntu0.24.04.1"}
    assert len(user_space) == 5


def test_user_space_that_is_only_half_there_is_refused(desk: DeskOf) -> None:
    here = desk("noble")
    here.ubuntu.together()
    here.ubuntu.archive.drop("noble-updates", "nvidia-compute-utils-580-server", f"{NEW}-0ubuntu0.24.04.1")
    assert "of nvidia-compute-utils-580-server there is nothing" in here.refused().message


def test_modules_that_the_metapackage_leads_to_but_are_not_there_are_left_for_older_ones(desk: DeskOf) -> None:
    here = desk("noble")
    here.ubuntu.together(88, pocket="security")
    here.ubuntu.together(90)
    here.ubuntu.archive.drop("noble-updates", "linux-modules-nvidia-580-server-open-6.8.0-90-generic", "6.8.0-90.91+1")
    assert here.lock().versions["kernel"] == "6.8.0-88-generic"


@pytest.mark.parametrize("package", ["linux-generic-hwe-24.04", "linux-image-generic-hwe-24.04", "linux-generic"])
def test_a_newer_releases_kernel_and_whole_metapackages(desk: DeskOf, package: str) -> None:
    here = desk("noble")
    flavour = package.removeprefix("linux-").removeprefix("image-")
    here.write(more=wish("kernel", package=package))
    here.ubuntu.driver("580-server")
    for abi in (88, 90):
        here.ubuntu.kernel(abi, flavour=flavour, backport="~24.04.1")
    here.ubuntu.modules(BRANCH, 88, flavour=flavour, backport="~24.04.1")
    lock = here.lock()
    assert lock.versions["kernel"] == "6.8.0-88-generic"
    host = of_driver(lock)["host"]
    assert host[package] == "6.8.0-88.89~24.04.1"
    assert [name for name in host if name.startswith("linux-image-6")] == ["linux-image-6.8.0-88-generic"]


def test_a_flavour_that_has_become_another_leads_to_its_modules(desk: DeskOf) -> None:
    """As linux-lowlatency-hwe-24.04 does, since its kernel is the generic one with other parameters."""
    here = desk("noble")
    here.ubuntu.together()
    here.write(more=wish("kernel", package="linux-image-lowlatency"))
    add, suite = here.ubuntu.archive.add, "noble-updates"
    add(suite, "linux-image-lowlatency", "6.8.0-88.89", Depends="linux-image-generic", Source="linux-meta")
    name = "linux-modules-nvidia-580-server-open"
    add(suite, f"{name}-lowlatency", "6.8.0-88.89+1", component="restricted", Depends=f"{name}-generic")
    host = of_driver(here.lock())["host"]
    assert {"linux-image-lowlatency", "linux-image-generic", f"{name}-6.8.0-88-generic"} < host.keys()


def test_archives_without_a_pocket_are_told_of_it(desk: DeskOf) -> None:
    """Modules in -security may be of a driver in -updates."""
    here = desk("noble")
    here.ubuntu.driver("580-server", version=OLD, pocket="security")
    here.ubuntu.together()
    here.ubuntu.kernel(88, "security")
    here.ubuntu.modules(BRANCH, 88, version=NEW, pocket="security")
    archives = here.file.read_text().split("[[archives]]")
    here.file.write_text("[[archives]]".join(each for each in archives if "noble-updates" not in each))
    assert here.refused().hint == "add noble-updates to [[archives]]: kernels and drivers come there"


def test_a_pocket_without_the_component_restricted_is_told_of_where_an_older_kernel_is_taken(
    desk: DeskOf, capfd: pytest.CaptureFixture[str]
) -> None:
    here = desk("noble")
    here.ubuntu.together(88, version=OLD, pocket="security")
    here.ubuntu.together(90)
    before, updates = here.file.read_text().split('suite = "noble-updates"')
    here.file.write_text(before + 'suite = "noble-updates"' + updates.replace('"restricted", ', "", 1))
    assert here.lock().versions["kernel"] == "6.8.0-88-generic"
    assert 'add "restricted" to the components of noble-updates in [[archives]]' in capfd.readouterr().err


def test_proposed_is_refused(desk: DeskOf) -> None:
    here = desk("noble")
    here.ubuntu.together()
    text = here.file.read_text()
    here.file.write_text(text.replace('suite = "noble-security"', 'suite = "noble-proposed"'))
    error = here.refused()
    assert error.message.startswith('rig.toml: [[archives]] suite = "noble-proposed": packages are tested there')
    assert error.hint == "suites of noble: noble, noble-updates, noble-security, noble-backports"


def test_archives_of_two_releases_are_refused(desk: DeskOf) -> None:
    here = desk("noble")
    text = here.file.read_text()
    here.file.write_text(text.replace('suite = "noble-updates"', 'suite = "jammy-updates"'))
    error = here.refused()
    assert error.message.startswith('rig.toml: [[archives]] suite = "jammy-updates": [system] suite is "noble"')
    assert "noble-updates" in error.hint


def test_modules_for_another_releases_kernel_of_the_same_name_are_refused(desk: DeskOf) -> None:
    """22.04 gets 24.04's kernel under the same name and builds it anew: the symbols' versions differ."""
    here = desk("noble")
    here.ubuntu.kernel(88)
    here.ubuntu.driver("580-server")
    here.ubuntu.modules(BRANCH, 88, backport="~22.04.1")
    message = here.refused().message
    assert "is built for the kernel 6.8.0-88-generic, version 6.8.0-88.89~22.04.1+1" in message
    assert "there is linux-image-6.8.0-88-generic 6.8.0-88.89" in message


def test_what_compiles_another_module_is_refused(desk: DeskOf) -> None:
    here = desk("noble")
    here.ubuntu.together()
    here.write(more=wish("packages", host=["nvidia-headless-580-server-open"]))
    error = here.refused()
    assert "nvidia-dkms-580-server-open would compile a module over the one that Canonical signed" in error.message
    assert "packages.host" in error.hint
