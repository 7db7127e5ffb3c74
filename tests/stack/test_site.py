"""What differs from machine to machine comes over the stack: from site.toml, and over that from --set."""

from __future__ import annotations

from pathlib import Path

import pytest

from rigforge.errors import UsageError
from rigforge.stack.load import load
from tests.stack.stack_files import KEY, SMALLEST, Write, complaint


class TestSite:
    def test_site_toml_of_the_current_directory_comes_over_the_stack(self, write: Write) -> None:
        write("site.toml", '[machine]\nhostname = "gpu1"\n')
        stack = load(write("mine.toml", SMALLEST + '[machine]\nhostname = "any"\nusername = "ada"\n'))
        assert (stack.machine.hostname, stack.machine.username) == ("gpu1", "ada")

    def test_another_file_can_be_named(self, write: Write) -> None:
        write("site.toml", '[machine]\nhostname = "gpu1"\n')
        site = write("two.toml", '[machine]\nhostname = "gpu2"\n')
        assert load(write("mine.toml", SMALLEST), site=site).machine.hostname == "gpu2"

    def test_a_named_file_has_to_be_there(self, write: Write) -> None:
        assert complaint(write("mine.toml", SMALLEST), site=Path("none.toml")) == (
            "none.toml: cannot be read: No such file or directory"
        )

    def test_what_the_lock_is_made_from_is_refused(self, write: Write) -> None:
        write("site.toml", '[kernel]\npackage = "linux-image-rt-amd64"\n')
        message = complaint(write("mine.toml", SMALLEST))
        assert message == "site.toml: kernel: belongs to the stack, and the lock is made from it"

    def test_a_misspelt_key_is_blamed_on_site_toml(self, write: Write) -> None:
        write("site.toml", '[machine]\nhostnme = "gpu1"\n')
        message = complaint(write("mine.toml", SMALLEST))
        assert message == 'site.toml: machine.hostnme: unknown key, did you mean "hostname"?'

    def test_a_network_replaces_the_stacks_as_a_whole(self, write: Write) -> None:
        write("site.toml", "[network.ethernets.eno1]\ndhcp4 = true\n")
        stack = load(write("mine.toml", SMALLEST + "[network.ethernets.eno2]\ndhcp4 = true\n"))
        assert stack.network == {"ethernets": {"eno1": {"dhcp4": True}}}

    def test_paths_of_the_signing_key_count_from_their_file(self, write: Write, tmp_path: Path) -> None:
        site = write("sub/site.toml", '[secure_boot]\nkey = "mok.key"\ncertificate = "/etc/mok.pem"\n')
        stack = load(write("mine.toml", SMALLEST), site=site)
        assert stack.secure_boot.key == str(tmp_path / "sub" / "mok.key")
        assert stack.secure_boot.certificate == "/etc/mok.pem"


class TestSet:
    def test_comes_over_site_toml_in_the_order_given(self, write: Write) -> None:
        write("site.toml", '[machine]\nhostname = "gpu1"\n')
        stack = load(write("mine.toml", SMALLEST), sets=["machine.hostname=gpu2", "hostname = gpu3"])
        assert stack.machine.hostname == "gpu3"

    def test_takes_toml_or_plain_text(self, write: Write) -> None:
        sets = [
            "install.shutdown=poweroff",
            'machine.timezone="Europe/Berlin"',
            "storage.match=[{ ssd = true }, { size = 'largest' }]",
            "network.ethernets.eno1.dhcp4=true",
        ]
        stack = load(write("mine.toml", SMALLEST), sets=sets)
        assert (stack.install.shutdown, stack.machine.timezone) == ("poweroff", "Europe/Berlin")
        assert [(rule.ssd, rule.size) for rule in stack.storage.match] == [(True, None), (None, "largest")]
        assert stack.network == {"ethernets": {"eno1": {"dhcp4": True}}}

    def test_keeps_digits_as_text_where_text_is_meant(self, write: Write) -> None:
        sets = ["storage.layout=luks", "storage.passphrase=20251123"]
        assert load(write("mine.toml", SMALLEST), sets=sets).storage.passphrase == "20251123"

    def test_has_short_forms(self, write: Write) -> None:
        stack = load(write("mine.toml", SMALLEST), sets=["user=ada", "disk=/dev/nvme0n1", f"ssh_key={KEY}"])
        assert stack.machine.username == "ada"
        assert [rule.path for rule in stack.storage.match] == ["/dev/nvme0n1"]
        assert stack.machine.ssh_authorized_keys == (KEY,)

    def test_reads_an_ssh_key_from_its_file_and_takes_more_than_one(self, write: Write) -> None:
        public, other = write("id.pub", KEY + "\n"), KEY.replace("someone", "other")
        stack = load(write("mine.toml", SMALLEST), sets=[f"ssh_key={public}", f"ssh_key={other}"])
        assert stack.machine.ssh_authorized_keys == (KEY, other)

    def test_names_the_key_file_it_cannot_read(self, write: Write) -> None:
        message = complaint(write("mine.toml", SMALLEST), sets=["ssh_key=none.pub"])
        assert message == "--set ssh_key: cannot read none.pub: No such file or directory"

    @pytest.mark.parametrize(
        ("setting", "message"),
        [
            ("hostnme=x", '--set hostnme: unknown key, did you mean "hostname"?'),
            ("machine.hostnme=x", '--set machine.hostnme: machine.hostnme: unknown key, did you mean "hostname"?'),
            ("machine=x", "--set machine: unknown key"),
            (
                "kernel.package=x",
                "--set kernel.package: belongs to the stack, and the lock is made from it; "
                "only a site's values can be set",
            ),
            (
                "user=Ada",
                "--set user: machine.username: must be a user name: a-z, 0-9, _ and -, no digit first, "
                'at most 32 characters (it is "Ada")',
            ),
        ],
    )
    def test_says_what_is_wrong_with_a_key(self, write: Write, setting: str, message: str) -> None:
        assert complaint(write("mine.toml", SMALLEST), sets=[setting]).startswith(message)

    def test_needs_a_value(self, write: Write) -> None:
        with pytest.raises(UsageError, match="--set hostname: there is no value"):
            load(write("mine.toml", SMALLEST), sets=["hostname"])
