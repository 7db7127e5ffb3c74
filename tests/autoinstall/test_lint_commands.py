"""Commands that do not run where they were meant to are told of."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.autoinstall.documents import SOUND, warned


def said(folder: Path, *commands: str | list[str]) -> dict[str, str]:
    """Returns what is said of a document with these late-commands."""
    return warned(folder, SOUND + yaml.safe_dump({"late-commands": list(commands)}))


FOLLOWS = "happens in the installer, not in the installed system"
ASTRAY = [
    ("curtin in-target -- echo box1 > /etc/hostname", f"what follows > {FOLLOWS}"),
    ("curtin in-target --target=/target -- echo a >> /etc/hosts", f"what follows > {FOLLOWS}"),
    ("curtin in-target -- echo a | tee /etc/a", f"what follows | {FOLLOWS}"),
    ("curtin in-target -- echo a | sudo tee -a /etc/a > /dev/null", f"what follows | {FOLLOWS}"),
    ("curtin in-target -- apt-get update && apt-get install -y vim", f"what follows && {FOLLOWS}"),
    ("curtin in-target -- true; systemctl enable ssh", f"what follows ; {FOLLOWS}"),
    ("chroot /target echo a >> /etc/securetty", f"what follows > {FOLLOWS}"),
    ("curtin in-target -- bash <<< 'echo a'", "sh knows no <<<"),
    ("curtin in-target -- cd /opt", "cd is no program"),
    ("curtin in-target apt-get install -y vim", "curtin takes the command's options for its own"),
    ("curtin in-target --target=/target sh -c 'echo a'", "curtin takes the command's options for its own"),
    ("apt-get update", "it runs in the installer"),
    ("systemctl enable ssh", "it runs in the installer"),
    ("sudo usermod -aG docker ada", "it runs in the installer"),
    ("echo a > /etc/hostname", "it runs in the installer"),
    ("sed -i s/a/b/ /etc/default/grub", "it runs in the installer"),
    ("set -e\ncurtin in-target -- echo a > /etc/a\n", f"what follows > {FOLLOWS}"),
    (["curtin", "in-target", "--", "echo", "a", ">", "/etc/a"], "a list is no shell"),
    (["curtin", "in-target", "apt-get", "install", "-y", "vim"], "curtin takes the command's options for its own"),
    (["ls /target"], "a list is one word each"),
]


@pytest.mark.parametrize(("command", "message"), ASTRAY, ids=[str(command) for command, _ in ASTRAY])
def test_a_command_that_goes_astray_is_named_with_its_cure(
    tmp_path: Path, command: str | list[str], message: str
) -> None:
    found = said(tmp_path, "curtin in-target -- true", command)
    assert list(found) == ["late-commands[1]"] and message in found["late-commands[1]"]


@pytest.mark.parametrize(
    "command",
    [
        "curtin in-target -- sh -c 'echo a > /etc/a && apt-get update'",
        'curtin in-target --target=/target -- bash -c "echo a | tee /etc/a"',
        "echo a > /target/etc/a && chmod 440 /target/etc/a",
        "echo a | curtin in-target -- tee /etc/a > /dev/null",
        "curtin in-target -- apt-get update && curtin in-target -- apt-get install -y vim",
        "curtin in-target -- ls -l 2>&1 | tail -n 1 || true",
        "curtin in-target -t /target ls",
        "cp /cdrom/a /target/root/a",
        "cp -a /var/log/installer $TARGET_MOUNT_POINT/var/log",
        "chroot /target useradd ada",
        "sleep 5; poweroff",
        "systemctl stop ssh",
        "apt-get install -y efibootmgr\nefibootmgr -o 0001\n",
        ["curtin", "in-target", "--", "sh", "-c", "echo a > /etc/a"],
    ],
    ids=str,
)
def test_nothing_is_said_of_a_command_that_does_what_it_says(tmp_path: Path, command: str | list[str]) -> None:
    assert said(tmp_path, command) == {}


def test_a_fault_that_several_commands_have_is_told_once(tmp_path: Path) -> None:
    found = said(tmp_path, "apt-get update", "ls /target", "usermod -L ada", "apt-get install -y vim")
    assert list(found) == ["late-commands[0]"]
    assert "(as do late-commands[2], late-commands[3])" in found["late-commands[0]"]
