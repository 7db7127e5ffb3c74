"""Offers the machine newer versions of its held packages and of one that is free, as its security archive would, and
asks unattended-upgrades what it would install: run as root. Nothing is installed, and apt's own state is left alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
import tempfile
from pathlib import Path

#: What holds a package in its version: a pin, which the second apt is kept from reading.
HELD = Path("/etc/apt/preferences.d/rigforge-held")

#: On every machine, and never held.
FREE = "netbase"

CONTROL = """\
Package: {name}
Version: {version}+rigforge1
Architecture: {architecture}
Maintainer: nobody <nobody@localhost>
Description: offered to see who would take it
"""

#: Where the security archives of the distributions say that they are one (their Release files).
RELEASES = {
    "debian": "Origin: Debian\nLabel: Debian-Security\nSuite: {name}-security\nCodename: {name}-security\n",
    "ubuntu": "Origin: Ubuntu\nLabel: Ubuntu\nSuite: {name}-security\nCodename: {name}\n",
}

APT = """\
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "{folder}/lists";
Dir::Cache "{folder}/cache";
APT::Sandbox::User "root";
"""


def output(*words: str, **environment: str) -> str:
    result = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **environment})
    return result.stdout


def offer(folder: Path, name: str) -> str:
    """Makes a package one version newer than the installed one, and returns its entry in the archive's index."""
    version, architecture = output("dpkg-query", "--show", "--showformat=${Version} ${Architecture}", name).split()
    control = CONTROL.format(name=name, version=version, architecture=architecture)
    tree = folder / "tree" / name
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(control)
    deb = folder / f"{name}.deb"
    output("dpkg-deb", "--root-owner-group", "--build", str(tree), str(deb))
    data = deb.read_bytes()
    return f"{control}Filename: ./{deb.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"


def archive(folder: Path, names: list[str]) -> None:
    """Writes an archive with a newer version of each package, and the configuration of an apt that knows no other."""
    system = platform.freedesktop_os_release()
    packages = "\n".join(offer(folder, name) for name in names)
    (folder / "Packages").write_text(packages)
    release = RELEASES[system["ID"]].format(name=system["VERSION_CODENAME"])
    digest = hashlib.sha256(packages.encode()).hexdigest()
    (folder / "Release").write_text(f"{release}SHA256:\n {digest} {len(packages.encode())} Packages\n")
    (folder / "sources.list").write_text(f"deb [trusted=yes] file:{folder} ./\n")
    (folder / "apt.conf").write_text(APT.format(folder=folder))
    for made in ("lists/partial", "cache/archives/partial"):
        (folder / made).mkdir(parents=True)


def main() -> None:
    held = re.findall(r"^Package: (\S+)$", HELD.read_text() if HELD.exists() else "", re.MULTILINE)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        archive(folder, [*held, FREE])
        environment = {"APT_CONFIG": str(folder / "apt.conf"), "LC_ALL": "C.UTF-8"}
        output("apt-get", "update", **environment)
        freely = output(
            "apt-get", "--simulate", "-o", "Dir::Etc::PreferencesParts=/dev/null", "dist-upgrade", **environment
        )
        offered = re.findall(r"^Inst (\S+)", freely, re.MULTILINE)
        said = output("unattended-upgrade", "--dry-run", "--debug", **environment)
    taken = re.findall(r"^Packages that will be upgraded: ?(.*)$", said, re.MULTILINE)
    found = {"held": held, "offered": offered, "taken": " ".join(taken).split()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
