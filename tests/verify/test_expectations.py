"""What a machine is compared with, and how the stack is installed for a test."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rigforge.autoinstall import document
from rigforge.images.description import Description
from rigforge.installer.document import parse
from rigforge.layers.plan import ENVIRONMENT
from rigforge.lock.model import Lock
from rigforge.records.file import LockedFile
from rigforge.stack.load import load
from rigforge.stack.model import Stack
from rigforge.verify.expectations import TEST_PASSPHRASE, Expectations, expectations, of_image, stand_in

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGqqPSJzRZIlLw4VGhDFVUO0M6N1tBAwWeKDLkjnGOF3 test"
MEDIUM = {"id": "c0ffee", "layers": ["base.squashfs", "host.squashfs"], "rootfs_bytes": 1}
LOCK = Lock("smoke", "", 0, {"kernel": "6.1.0-56-amd64"}, (), ())


def stack(*sets: str) -> Stack:
    return load("smoke", sets=sets)


def test_what_is_expected_comes_from_stack_lock_and_medium() -> None:
    found = expectations(stand_in(stack("machine.timezone=Europe/Berlin"), KEY), LOCK, "uefi", MEDIUM)
    assert (found.stack, found.firmware, found.medium_id) == ("smoke", "uefi", "c0ffee")
    assert (found.hostname, found.username, found.timezone) == ("rigforge-test", "rigforge", "Europe/Berlin")
    assert found.layers == ("base", "host")
    assert found.versions == LOCK.versions
    assert "ssh" in found.services
    assert {"bookworm non-free", "bookworm-security non-free"} < set(found.archives)


def test_tunnels_and_open_ports_are_installed_and_tested_but_no_network_of_the_sites_own() -> None:
    tunnel = "{wg0 = {mode = 'wireguard', port = 51820, key = '/etc/wireguard/wg0.key'}}"
    network = f"network={{version = 2, ethernets = {{eno1 = {{mtu = 9000}}}}, tunnels = {tunnel}}}"
    installed = stand_in(stack(network, "firewall.open=['8888/tcp']"), KEY)
    assert list(installed.network["ethernets"]) == ["wired"]
    found = expectations(installed, LOCK, "bios", MEDIUM)
    assert found.open_ports == ("8888/tcp", "51820/udp")
    assert found.wireguard == ("wg0",)
    assert "wireguard" in found.parts


def test_parts_are_what_there_is_to_test() -> None:
    smoke = expectations(stack(), LOCK, "bios", MEDIUM)
    assert smoke.parts == {"kernel", "base", "host", "machine", "archives", "rigforge"}
    assert smoke.env == ""
    full = expectations(stack(), replace(LOCK, versions={"python": "3.11.2", "driver": "535"}), "uefi", MEDIUM)
    assert full.parts == {"python", "driver", "base", "host", "machine", "archives", "rigforge"}
    assert full.env == ENVIRONMENT


def test_on_canonicals_medium_modules_are_signed() -> None:
    found = expectations(stack(), LOCK, "uefi", {**MEDIUM, "base": "0" * 64})
    assert (found.installer, found.module_signed) == ("subiquity", True)
    assert {"subiquity", "machine"} <= found.parts


def test_a_container_has_its_own_layers_and_only_the_driver_that_was_put_in() -> None:
    description = Description("debian-12", "dev", "", {"base": "", "python": ""}, {"python": "3.11.2"}, {})
    assert of_image(description, LOCK, "", gpu=False).parts == {"container", "base", "python"}
    assert of_image(description, LOCK, "535.309.01", gpu=False).versions == {"python": "3.11.2", "driver": "535.309.01"}
    assert of_image(description, LOCK, "", gpu=True).parts == {"container", "gpu", "driver", "base", "python"}


def test_the_environment_is_there_as_soon_as_cuda_is() -> None:
    """Its wheels are in it, of which the image `base` has those of CUDA and nothing else."""
    for layers, env in ((["base"], ""), (["base", "cuda"], ENVIRONMENT)):
        description = Description("smoke", "base", "", dict.fromkeys(layers, ""), {}, {})
        assert of_image(description, LOCK, "", gpu=False).env == env


def test_expectations_survive_the_file_between_builder_and_tests() -> None:
    found = expectations(stack(), LOCK, "bios", MEDIUM)
    assert Expectations.model_validate_json(found.model_dump_json()) == found


def test_a_misspelt_expectation_is_refused() -> None:
    text = expectations(stack(), LOCK, "bios", MEDIUM).model_dump_json().replace('"hostname"', '"host_name"')
    with pytest.raises(ValueError, match="host_name"):
        Expectations.model_validate_json(text)


def test_test_install_has_our_key_only_and_takes_any_disk() -> None:
    theirs = stack(
        "ssh_key=ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA owner",
        "disk=/dev/disk/by-id/nvme-their-own",
        "install.shutdown=poweroff",
        "hostname=theirs",
    )
    installed = parse(document.render(stand_in(theirs, KEY)), "test")
    assert installed.ssh.authorized_keys == (KEY,)
    assert installed.identity.hostname == "rigforge-test"
    assert installed.identity.password is None
    assert installed.storage.match == ()
    assert installed.shutdown == "reboot"


def test_an_encrypted_disk_is_verified_with_another_passphrase() -> None:
    encrypted = stack("storage.layout=luks", "storage.passphrase=a long secret")
    installed = stand_in(encrypted, KEY)
    assert installed.storage.layout == "luks"
    assert TEST_PASSPHRASE in document.render(installed)
    assert "a long secret" not in document.render(installed)
    assert stand_in(stack(), KEY).storage.passphrase == ""


def test_what_is_built_stays_as_it_is() -> None:
    assert stand_in(stack(), KEY).build_part() == stack().build_part()
    assert stand_in(stack(), KEY).name == "smoke"


def test_installed_packages_are_those_of_the_lock_in_the_layers_that_are_there() -> None:
    def locked(layer: str, kind: str, name: str) -> LockedFile:
        suffix = {"deb": "deb", "wheel": "whl"}[kind]
        return LockedFile(layer, kind, name, "1.0", f"debian:{name}.{suffix}", 1, "0" * 64)

    files = (locked("base", "deb", "bash"), locked("module", "deb", "dkms"), locked("python", "wheel", "torch"))
    lock = replace(LOCK, files=files)
    machine = expectations(stack(), lock, "bios", MEDIUM)
    assert (machine.debs, machine.wheels) == ({"bash": "1.0"}, {})
    assert "debs" in machine.parts and "wheels" not in machine.parts
    description = Description("debian-12", "dev", "", {"base": "", "python": ""}, {}, {})
    image = of_image(description, lock, "", gpu=False)
    assert (image.debs, image.wheels) == ({"bash": "1.0"}, {"torch": "1.0"})
