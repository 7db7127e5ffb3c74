"""A stack is read from its file and from the files it extends; what is wrong in them is said plainly."""

from __future__ import annotations

from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.stack.load import load, names
from rigforge.stack.model import Stack
from tests.stack.stack_files import KEY, SMALLEST, Write, complaint


@pytest.mark.parametrize("name", names())
def test_the_stacks_that_come_along_are_sound(name: str) -> None:
    assert load(name).name == name


def test_debian_12_is_smoke_with_a_gpu_on_top() -> None:
    full, smoke = load("debian-12"), load("smoke")
    assert full.archives == smoke.archives
    assert set(smoke.packages.host) < set(full.packages.host)
    assert set(smoke.services.enable) < set(full.services.enable)
    assert (full.driver.provider, full.driver.version) == ("apt", "535.309.01")
    assert {smoke.driver.provider, smoke.cuda.provider, smoke.pytorch.provider, smoke.python.provider} == {"none"}


def test_a_file_anywhere_is_a_stack_named_after_it(write: Write) -> None:
    path = write("mine.v1.toml", SMALLEST)
    for given in (path, str(path), "mine.v1.toml"):
        stack = load(given)
        assert (stack.name, stack.path, stack.lock_path) == ("mine.v1", path, path.with_name("mine.v1.lock"))


def test_what_a_stack_leaves_out_has_a_default(write: Write) -> None:
    stack = load(write("mine.toml", SMALLEST))
    assert stack.medium.countdown == 15
    assert stack.machine.timezone == "Etc/UTC"
    assert stack.network["ethernets"]["wired"]["dhcp4"] is True


class TestExtends:
    def test_tables_are_joined_and_lists_replaced(self, write: Write) -> None:
        write("below.toml", SMALLEST + '[packages]\nhost = ["sudo"]\ndevel = ["git"]\n')
        stack = load(write("above.toml", 'extends = "below"\n[packages]\nhost = ["less"]\n'))
        assert stack.packages.host == ("less",)
        assert stack.packages.devel == ("git",)
        assert stack.name == "above"

    def test_three_dots_in_a_list_stand_for_the_one_below(self, write: Write) -> None:
        write("below.toml", SMALLEST + '[packages]\nhost = ["less", "sudo"]\n')
        stack = load(write("above.toml", 'extends = "below"\n[packages]\nhost = ["...", "tmux"]\ndevel = ["..."]\n'))
        assert stack.packages.host == ("less", "sudo", "tmux")
        assert stack.packages.devel == ()

    def test_a_stack_elsewhere_can_extend_one_that_comes_along(self, write: Write) -> None:
        stack = load(write("mine.toml", 'extends = "smoke"\n[kernel]\npackage = "linux-image-rt-amd64"\n'))
        assert stack.kernel.package == "linux-image-rt-amd64"
        assert stack.archives == load("smoke").archives

    def test_a_path_counts_from_the_childs_folder(self, write: Write) -> None:
        write("below.toml", SMALLEST)
        assert load(write("sub/above.toml", 'extends = "../below.toml"\n')).system.suite == "bookworm"

    def test_a_circle_is_refused(self, write: Write) -> None:
        write("one.toml", 'extends = "two"\n')
        assert complaint(write("two.toml", 'extends = "one"\n')) == (
            "two.toml → one.toml → two.toml: extends goes round in a circle"
        )

    def test_an_unknown_stack_is_named_with_the_nearest(self, write: Write) -> None:
        assert complaint(write("mine.toml", 'extends = "debian12"\n')) == (
            'mine.toml: extends: there is no stack "debian12", did you mean "debian-12"?'
        )

    def test_a_fault_is_blamed_on_the_file_that_has_it(self, write: Write) -> None:
        write("below.toml", SMALLEST + '[medium]\ncountdown = -1\nvolume_id = "ok"\n')
        above = write("above.toml", 'extends = "below"\n[medium]\nvolume_id = "OK"\n')
        assert complaint(above) == "below.toml: medium.countdown: must be greater than or equal to 0, not -1"


class TestWhatIsWrongIsSaid:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[kernal]", 'kernal: unknown key, did you mean "kernel"?'),
            ('[packages]\nhots = ["less"]', 'packages.hots: unknown key, did you mean "host"?'),
            ('[storage]\nmatch = [{ serail = "S1" }]', 'storage.match[0].serail: unknown key, did you mean "serial"?'),
            ("[machine.keyboard]\nlayuot = 'de'", 'machine.keyboard.layuot: unknown key, did you mean "layout"?'),
            ('[machine]\npath = "/"', 'machine.path: unknown key, did you mean "storage.match.path"?'),
            ("[gpu]\nzzz = 1", "gpu.zzz: unknown key; known here: models, expect"),
            ('[driver]\nprovider = "pip"', 'driver.provider: must be "none" or "apt" or "nvidia", not "pip"'),
            (
                '[storage]\nlayout = "lvn"',
                'storage.layout: must be "direct" or "lvm" or "luks" or "zfs", not "lvn", did you mean "lvm"?',
            ),
            ('[medium]\ncountdown = "15"', 'medium.countdown: must be a whole number, not "15"'),
            ("[driver]\ndkms = 1", "driver.dkms: must be true or false, not 1"),
            ('[packages]\nhost = "less"', 'packages.host: must be an array, not "less"'),
            ("[packages]\nhost = [1]", "packages.host[0]: must be a string, not 1"),
        ],
    )
    def test_by_file_key_and_cure(self, write: Write, text: str, message: str) -> None:
        assert complaint(write("mine.toml", SMALLEST + text)) == f"mine.toml: {message}"

    def test_for_a_table_that_is_none(self, write: Write) -> None:
        assert complaint(write("mine.toml", "machine = 3\n" + SMALLEST)) == "mine.toml: machine: must be a table, not 3"

    def test_for_what_is_missing(self, write: Write) -> None:
        message = complaint(write("mine.toml", SMALLEST.replace('suite = "bookworm"\n[[', "[[")))
        assert message == "mine.toml: system.suite: has to be given"

    def test_for_all_faults_at_once(self, write: Write) -> None:
        message = complaint(write("mine.toml", SMALLEST + "[medium]\ncountdown = -1\nvolume_id = 'no lower case'\n"))
        assert [line.split(": ")[1] for line in message.splitlines()] == ["medium.volume_id", "medium.countdown"]

    def test_for_text_that_is_not_toml_by_line(self, write: Write) -> None:
        assert complaint(write("mine.toml", "[system]\nsuite = bookworm\n")).startswith("mine.toml:2: not TOML: ")

    def test_for_bytes_that_are_not_text(self, write: Write) -> None:
        path = write("mine.toml", "")
        path.write_bytes(b'description = "\xff"')
        assert complaint(path) == "mine.toml: not UTF-8: invalid start byte at byte 15"

    def test_for_an_unknown_stack_with_those_there_are(self) -> None:
        with pytest.raises(RigforgeError) as caught:
            load("debian12")
        assert caught.value.message == 'there is no stack "debian12", did you mean "debian-12"?'
        assert "debian-12, smoke" in caught.value.hint

    def test_for_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        assert complaint(tmp_path / "none.toml") == f"there is no stack file {tmp_path / 'none.toml'}"

    def test_for_the_file_of_preferences_which_is_no_stack(self) -> None:
        assert "preference" not in names()
        with pytest.raises(RigforgeError, match='no stack "preference"'):
            load("preference")

    def test_but_never_with_a_secret(self, write: Write) -> None:
        path = write("mine.toml", SMALLEST)
        for setting in (
            "machine.password_hash=hunter2",
            "storage.passphrase=hunter2",
            'machine.ssh_authorized_keys=["-----BEGIN OPENSSH PRIVATE KEY----- hunter2"]',
        ):
            assert "hunter2" not in complaint(path, sets=[setting])


class TestChecksum:
    def test_is_of_what_is_built_and_not_of_the_site(self, write: Write) -> None:
        path = write("mine.toml", SMALLEST)
        same = load(path, sets=["hostname=gpu1", f"ssh_key={KEY}", "storage.layout=lvm"])
        assert same.checksum() == load(path).checksum()
        assert same.machine != load(path).machine

    def test_changes_with_every_part_of_the_build(self, write: Write) -> None:
        changes = [
            "[packages]\nbase = ['less']",
            "[packages]\nhost = ['less']",
            "[services]\nenable = ['ssh']",
            "[driver]\nprovider = 'apt'\nversion = '535.309.01'",
            "[devel]\n[python]\nprovider = 'system'\nversion = '3.11'",
        ]
        sums = {load(write("mine.toml", SMALLEST + change)).checksum() for change in ["", *changes]}
        assert len(sums) == 1 + len(changes)

    def test_is_the_same_for_the_same_said_in_other_words(self, write: Write) -> None:
        flat = load(write("flat.toml", SMALLEST + "[medium]\ncountdown = 3\n"))
        write("below.toml", SMALLEST)
        child = load(write("child.toml", 'extends = "below"\n\n[medium]\n# short\ncountdown = 3\n'))
        assert child.checksum() == flat.checksum()


class TestKeyring:
    def stack(self, write: Write, keyring: str) -> Stack:
        return load(write("mine.toml", SMALLEST.replace("debian-archive-keyring.gpg", keyring)))

    def test_a_path_counts_from_the_stacks_file(self, write: Write) -> None:
        ring = write("keys/own.gpg", "")
        stack = self.stack(write, "keys/own.gpg")
        assert stack.keyring(stack.archives[0]) == ring

    def test_a_child_elsewhere_finds_the_one_beside_its_parent(self, write: Write) -> None:
        ring = write("keys/own.gpg", "")
        self.stack(write, "./keys/own.gpg")
        child = load(write("sub/child.toml", 'extends = "../mine.toml"\n'))
        assert child.keyring(child.archives[0]) == ring

    def test_that_is_not_there_is_an_error_only_once_it_is_used(self, write: Write) -> None:
        stack = self.stack(write, "none-such.gpg")
        with pytest.raises(RigforgeError, match=r"archive debian bookworm: there is no keyring .*none-such\.gpg"):
            stack.keyring(stack.archives[0])


def test_a_loaded_stack_cannot_be_changed() -> None:
    stack = load("smoke")
    with pytest.raises(ValueError, match="frozen"):
        stack.machine.hostname = "other"  # type: ignore[misc]
