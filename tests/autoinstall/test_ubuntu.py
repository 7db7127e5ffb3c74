"""The document for Canonical's installer: made from the stack, and accepted by every release that has a stack."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from rigforge.autoinstall.access import allowing
from rigforge.autoinstall.subiquity.check import check
from rigforge.autoinstall.ubuntu import render
from rigforge.errors import RigforgeError
from rigforge.stack.load import load
from rigforge.stack.model import Stack
from rigforge.verify import serial

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE2yTkv1Pbd0SHS0iWBn3GIiRXT8YmYBWkSrzMNv4hXK me"
KEY = f"machine.ssh_authorized_keys=['{PUBLIC_KEY}']"
KERNEL = "linux-image-6.8.0-88-generic"


def stack(*sets: str, name: str = "ubuntu-24.04") -> Stack:
    return load(name, sets=(KEY, *sets))


def document(*sets: str) -> dict[str, object]:
    loaded = yaml.safe_load(render(stack(*sets), KERNEL, "24.04"))
    assert isinstance(loaded, dict)
    return loaded


@pytest.mark.parametrize("release", ["22.04", "24.04", "26.04"])
@pytest.mark.parametrize("layout", ["direct", "lvm", "zfs", "luks"])
def test_the_installer_accepts_it_and_nothing_in_it_is_regretted(release: str, layout: str, tmp_path: Path) -> None:
    sets = [
        f"storage.layout={layout}",
        "storage.match=[{serial='S4*'}]",
        *(["storage.passphrase=correct horse"] if layout == "luks" else []),
    ]
    text = render(stack(*sets, name=f"ubuntu-{release}"), KERNEL, release)
    (tmp_path / "autoinstall.yaml").write_text(text)
    assert check(tmp_path / "autoinstall.yaml", "26.04" if release == "26.04" else "24.04", {"rigforge"}) == ()


def test_nothing_is_fetched_and_the_kernel_is_the_one_of_the_layers() -> None:
    made = document()
    assert made["kernel"] == {"package": KERNEL}
    assert made["source"] == {"id": "rigforge", "search_drivers": False}
    assert [made[name] for name in ("drivers", "oem", "codecs")] == [{"install": False}] * 3
    assert (made["packages"], made["snaps"]) == ([], [])
    # With no mirror to try there is none that could answer.
    offline = {"mirror-selection": {"primary": []}, "fallback": "offline-install", "geoip": False}
    assert made["apt"] == offline


def test_a_failed_installation_keeps_its_logs_before_it_says_so_in_words_that_verify_iso_knows(tmp_path: Path) -> None:
    keep, say = document()["error-commands"]  # type: ignore[misc]
    assert keep.startswith("mount -L CIDATA")
    log, line = tmp_path / "debug.log", tmp_path / "console"
    log.write_text("finish: subiquity/Install: FAIL: first\nfinish: subiquity/Install: FAIL: no 'grub-pc' there\n")
    here = say.replace("/var/log/installer/subiquity-server-debug.log", str(log)).replace("test -c", "test -n")
    subprocess.run(["sh", "-c", here.replace("/dev/tty0 /dev/ttyS0", str(line))], check=True)
    (said,) = filter(serial.fatal, line.read_text().splitlines())
    assert said == "rigforge: FAILED: FAIL: no 'grub-pc' there"


def test_only_the_machines_user_logs_in_over_ssh() -> None:
    assert allowing("ada") in document("user=ada")["late-commands"]  # type: ignore[operator]
    assert "'AllowUsers ada\n' >/target/etc/ssh/sshd_config.d/rigforge-users.conf" in allowing("ada")


def test_without_a_password_login_is_by_key_and_sudo_asks_for_none() -> None:
    made = document()
    assert made["identity"]["password"] == "!"  # type: ignore[index]
    assert made["ssh"]["allow-pw"] is False  # type: ignore[index]
    assert any("NOPASSWD" in str(command) for command in made["late-commands"])  # type: ignore[attr-defined]


def test_with_a_password_sudo_asks_for_it() -> None:
    made = document("machine.password_hash=$6$saltsalt$" + "a" * 86)
    assert made["identity"]["password"].startswith("$6$")  # type: ignore[index]
    assert not any("NOPASSWD" in str(command) for command in made["late-commands"])  # type: ignore[attr-defined]


def test_encryption_is_lvm_with_the_passphrase_whatever_is_in_it() -> None:
    made = document("storage.layout=luks", 'storage.passphrase=quo"te ${x} ünï: #')
    assert made["storage"]["layout"]["name"] == "lvm"  # type: ignore[index]
    assert made["storage"]["layout"]["password"] == 'quo"te ${x} ünï: #'  # type: ignore[index]


def test_the_stacks_own_commands_come_last() -> None:
    made = document("install.late_commands=['curtin in-target -- true', ['touch', '/target/x: y']]")
    assert made["late-commands"][-2:] == ["curtin in-target -- true", ["touch", "/target/x: y"]]  # type: ignore[index]


def test_a_machine_that_nobody_could_log_in_to_is_refused() -> None:
    with pytest.raises(RigforgeError, match="nobody could log in") as caught:
        render(load("ubuntu-24.04"), KERNEL, "24.04")
    assert "--set ssh_key" in caught.value.hint
