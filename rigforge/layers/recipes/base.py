"""The operating system without a kernel, by mmdebstrap from the locked packages alone."""

from __future__ import annotations

from dataclasses import dataclass

from rigforge.layers import confine, dpkg
from rigforge.layers.programs import TARGET, programs
from rigforge.layers.root import Root
from rigforge.process import run

#: Merges /usr before the first package is unpacked, as new installations have it.
MERGED_USR = "/usr/share/mmdebstrap/hooks/merged-usr"

#: Left out of every package: what a server's users read on the web, and translations of messages.
#: Licences (copyright) stay, and so does what a package names explicitly below.
EXCLUDED = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/lintian/*", "/usr/share/locale/*")
INCLUDED = ("/usr/share/doc/*/copyright", "/usr/share/locale/locale.alias")


@dataclass(frozen=True)
class Options:
    """`suite` is the distribution's, as its archive names it."""

    suite: str


def build(root: Root, options: Options) -> None:
    """Fills the empty root."""
    suite = options.suite
    archive = root.files
    release = ["-o", f"APT::FTPArchive::Release::Suite={suite}", "-o", f"APT::FTPArchive::Release::Codename={suite}"]
    # The index is made from files whose checksums came from a signed one, hence trusted=yes below.
    (archive / "Packages").write_text(run(["apt-ftparchive", "packages", "."], cwd=archive).stdout)
    (archive / "Release").write_text(run(["apt-ftparchive", *release, "release", "."], cwd=archive).stdout)
    names = sorted({package.name.partition("_")[0] for package in archive.glob("*.deb")})
    dpkg.exclude(root, "rigforge", EXCLUDED, but=INCLUDED)
    with programs(root) as builder:
        builder.chroot(
            ["mmdebstrap", "--mode=root", "--variant=required", "--format=directory", "--skip=check/empty"]
            + [f"--hook-dir={MERGED_USR}", f"--include={','.join(names)}", "--dpkgopt=force-unsafe-io"]
            + ["--aptopt=APT::Install-Recommends false", "--aptopt=Acquire::Languages none"]
            # A folder of a package's: its time is kept only where nothing is mounted when it is unpacked.
            + [f"--extract-hook={confine.ASK}"]
            + [suite, TARGET, "deb [trusted=yes] copy:///run/files ./"],
            proc=f"{TARGET}/proc",
        )
    for source in root.glob("etc/apt/sources.list.d/*"):
        source.unlink()
    # The last two are copies of the building machine's.
    for leftover in (f"{dpkg.CONFIGURATION}/99mmdebstrap", "etc/hostname", "etc/resolv.conf"):
        root.remove(leftover)
    root.write("etc/apt/sources.list", "# Written on the first boot.\n")
