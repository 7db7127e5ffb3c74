"""A machine with a dpkg and an apt of its own: both are real, and so is the archive that apt asks.

What packages bring there is small: modules are text that `modinfo` reads, and `dkms` writes it where there are headers.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from debian.deb822 import Deb822

from rigforge.doctor import upgrade
from rigforge.doctor.machine import Machine
from rigforge.doctor.nvml import Nvml
from rigforge.machine import pins
from tests.sources.signed_archive import Key, SignedArchive

_CONFIGURATION = """\
Dir "{root}";
Dir::State::status "{root}/var/lib/dpkg/status";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Sandbox::User "";
Acquire::Languages "none";
DPkg::Path "{path}";
"""

#: The programs that packages of kernels and drivers call; the real ones need the root for themselves.
TOOLS = {
    "modinfo": 'sed -n "s/^$2=//p" "$3"\n',
    "depmod": 'cd "$DPKG_ROOT/lib/modules/$2" && find . -name "*.ko" | sed "s/$/:/" > modules.dep\n',
    "dkms": """\
name=$3 version=$5 kernel=$7
test -d "$DPKG_ROOT/usr/src/linux-headers-$kernel" || { echo "no headers of $kernel" >&2; exit 1; }
folder=$DPKG_ROOT/lib/modules/$kernel/updates/dkms
mkdir -p "$folder"
printf 'vermagic=%s SMP\\nversion=%s\\n' "$kernel" "$version" > "$folder/$name.ko"
depmod -a "$kernel"
""",
    "update-initramfs": 'cp "$DPKG_ROOT/boot/vmlinuz-$3" "$DPKG_ROOT/boot/initrd.img-$3"\n',
    "update-grub": 'cd "$DPKG_ROOT/boot" && printf "linux /%s\\n" vmlinuz-* > grub/grub.cfg\n',
}

#: What a kernel's package does when it goes, and what dpkg does not know of: the files that others made for it.
POSTRM = """\
#!/bin/sh
test "$1" != purge || rm -f "$DPKG_ROOT/boot/initrd.img-{kernel}" "$DPKG_ROOT/lib/modules/{kernel}/modules.dep"
"""


class Box:
    """The machine. `old` are the packages that it was installed with, which no archive has any more."""

    def __init__(self, place: Path, key: Key, url: str, archive: SignedArchive) -> None:
        self.root, self.archive, self.key = place / "root", archive, key
        self.old = SignedArchive(place / "old")
        for folder in ("lib/dpkg/info", "lib/apt/lists/partial", "cache/apt/archives/partial", "log/apt"):
            (self.root / "var" / folder).mkdir(parents=True)
        for folder in ("apt.conf.d", "preferences.d"):
            (self.root / "etc/apt" / folder).mkdir(parents=True)
        self.write("var/lib/dpkg/status", "")
        path = f"{self.root}/usr/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        self.write("etc/apt/apt.conf", _CONFIGURATION.format(root=self.root, path=path))
        self.write("etc/apt/sources.list", f"deb [signed-by={key.keyring}] {url} stable main restricted\n")
        self.write("boot/grub/grub.cfg", "")
        environment = {**os.environ, "HOME": str(place), "APT_CONFIG": str(self.root / "etc/apt/apt.conf")}
        environment |= {"DPKG_ROOT": str(self.root), "DPKG_FORCE": "script-chrootless,not-root"}
        self.machine = Machine(Nvml(), self.root, path, environment, environment)
        programs = {f"usr/sbin/{name}": f"#!/bin/sh\nset -e\n{script}" for name, script in TOOLS.items()}
        self.old.add("old", "tools", files=programs)

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def run(self, *argv: str | Path) -> str:
        environment = {**self.machine.environment, "PATH": self.machine.path}
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def install(self, kernel: str, held: Iterable[str]) -> None:
        """Installs the packages of `old`, and starts the machine with a kernel."""
        self.run("dpkg", "--install", *sorted((self.old.path / "pool/old/main").glob("*.deb")))
        self.run("update-initramfs", "-c", "-k", kernel)
        self.run("update-grub")
        versions = {name: self.run("dpkg-query", "--show", "--showformat", "${Version}", name) for name in held}
        self.write(pins.FILE, pins.text(versions))
        self.write("proc/sys/kernel/osrelease", f"{kernel}\n")

    def publish(self) -> None:
        """Publishes the archive, and fetches its lists."""
        for component in ("main", "restricted"):
            (self.archive.path / "pool/stable" / component).mkdir(parents=True, exist_ok=True)
        self.archive.publish("stable", self.key)
        # Published twice within a second, it would count as unchanged.
        for known in (self.root / "var/lib/apt/lists").glob("*_*"):
            known.unlink()
        self.run("apt-get", "update")

    def upgrade(self, *arguments: str) -> int:
        return upgrade.main(arguments, self.machine)

    def plan(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = self.upgrade("--plan", "--json", *arguments)
        return code, json.loads(capsys.readouterr().out)

    def state(self) -> dict[str, str]:
        """Returns everything that counts: packages and holds, and the files outside of caches, with their contents."""
        seen = {"packages": self.run("dpkg-query", "--show", "--showformat", "${Package} ${Version} ${Status}\\n")}
        for folder in ("boot", "lib", "usr"):
            for file in sorted((self.root / folder).rglob("*")):
                if file.is_file() and file.name != "grub.cfg":
                    seen[str(file.relative_to(self.root))] = file.read_text()
        return seen

    def held(self) -> set[str]:
        """Returns what is held, each in the version that is installed."""
        installed = dict(line.split() for line in self.run("dpkg-query", "--show").splitlines())
        stanzas = [dict(stanza) for stanza in Deb822.iter_paragraphs((self.root / pins.FILE).read_text())]
        assert all(stanza["Pin"] == f"version {installed[stanza['Package']]}" for stanza in stanzas)
        assert not self.run("apt-mark", "showhold")
        return {stanza["Package"] for stanza in stanzas}

    def module(self, kernel: str) -> str:
        """Returns the driver that a kernel's module is of; "" without one."""
        files = list((self.root / "lib/modules" / kernel).rglob("nvidia*.ko"))
        return self.run("modinfo", "--field", "version", files[0]).strip() if files else ""
