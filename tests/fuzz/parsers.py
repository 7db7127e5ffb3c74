"""Every parser of what others write: how it is called with an input, and examples that it takes."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from email.parser import HeaderParser
from pathlib import Path

from rigforge.artifacts.oci_images import OciImages
from rigforge.attest import licences, listing, minisign
from rigforge.attest.sbom import Distribution
from rigforge.autoinstall.subiquity import install_sources
from rigforge.autoinstall.subiquity.boot import FIRMWARES
from rigforge.autoinstall.subiquity.check import check
from rigforge.compat import constraints, gpu, inventory
from rigforge.connect import tunnel
from rigforge.doctor import checks
from rigforge.doctor.machine import CommandResult, Machine
from rigforge.doctor.nvml import Nvml
from rigforge.foreign import path_of
from rigforge.images import oci
from rigforge.installer import document, seed
from rigforge.layers.build import Cache
from rigforge.lock import model
from rigforge.paths import PROJECT
from rigforge.plain import plain, within
from rigforge.records import checksums
from rigforge.redact import redacted
from rigforge.report import measure, verification
from rigforge.reproduce import record
from rigforge.sources import apt_sources, host_config, mirrors
from rigforge.stack.load import load
from rigforge.verify import suite

Read = Callable[[bytes], object]

COMPONENTS: tuple[constraints.Component, ...] = ("driver", "cuda", "pytorch", "python")


@dataclass(frozen=True)
class Parser:
    """What reads an input, and examples of what it takes."""

    read: Read
    examples: Sequence[bytes]


def of_file(name: str, read: Callable[[Path], object]) -> Read:
    """Gives `read` the folder in which an input is the file `name`."""

    def of_input(text: bytes) -> object:
        with tempfile.TemporaryDirectory(prefix="fuzz-", dir="/dev/shm") as folder:
            file = Path(folder, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text)
            return read(Path(folder))

    return of_input


def of_text(read: Callable[[str], object]) -> Read:
    return lambda text: read(text.decode("utf-8", "replace"))


def told(text: str) -> object:
    """The checks of the doctor, on a machine whose programs and files all say `text`."""

    class Told(Machine):
        def ask(self, *argv: str, seconds: float = 0) -> CommandResult | None:
            return CommandResult(len(text) % 2, text, text[::-1])

        def has(self, program: str) -> bool:
            return True

        def text(self, path: str) -> str:
            return text.strip()

    # That one starts a Python, half a second each time; "driver's version" is what it reads.
    subjects = [subject for subject in checks.SUBJECTS if subject is not checks.compatibility]
    return [list(checks._of(subject, Told(Nvml(), Path("/nonexistent")))) for subject in subjects]


def install(text: str) -> object:
    return seed.seed(document.parse(text, "here", root=Path("/nonexistent")), "id")


def validated(folder: Path) -> object:
    return check(folder / "a.yaml", "24.04", None, FIRMWARES, None, offline=True)


def examples(pattern: str) -> list[bytes]:
    return [file.read_bytes()[:20_000] for file in sorted(PROJECT.glob(pattern))]


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHFOLLgStd87Z3/Fqhh+qFlWFqcm6tITPhrwFEn63Id6 someone@example"
AUTOINSTALL = f"""\
version: 1
identity: {{hostname: gold, username: rig}}
ssh: {{authorized-keys: ['{KEY}'], allow-pw: false}}
storage: {{layout: {{name: lvm, password: correct horse, match: {{size: largest, ssd: true}}}}}}
network: {{version: 2, ethernets: {{any: {{match: {{name: en*}}, dhcp4: true, addresses: [192.0.2.2/24]}}}}}}
late-commands: [[touch, /a], 'echo x > /b']
user-data: {{runcmd: [[true]], packages: [vim], write_files: [{{path: /etc/motd, content: a, permissions: '0644'}}]}}
"""
SHA256 = "ab" * 32
INDEX = {
    "schemaVersion": 2,
    "manifests": [{"digest": f"sha256:{SHA256}", "size": 7, "annotations": {"org.opencontainers.image.ref.name": "x"}}],
}
LOCK = model.read(PROJECT / "stacks/smoke.lock")
SMALL_LOCK = model.to_text(replace(LOCK, files=LOCK.files[:3])).encode()

PARSERS = {
    "stack": Parser(of_file("mine.toml", lambda folder: load(folder / "mine.toml")), examples("stacks/*.toml")),
    "site": Parser(
        of_file("site.toml", lambda folder: load("smoke", site=folder / "site.toml")),
        [f'[machine]\nhostname = "gpu1"\nssh_authorized_keys = ["{KEY}"]\n[storage]\nlayout = "luks"\n'.encode()],
    ),
    "--set": Parser(
        of_text(lambda text: load("smoke", sets=text.split("\n"))),
        [b"hostname=gpu1", b"storage.match=[{ ssd = true }]\ndisk=/dev/vda", b"network={version = 2}", b"user=ada"],
    ),
    "path": Parser(of_text(lambda text: path_of(text, "here")), [b"~/x", b"/tmp/y"]),
    "lock": Parser(of_file("a.lock", lambda folder: model.read(folder / "a.lock")), [SMALL_LOCK]),
    "digests": Parser(of_file("a", lambda folder: record.read(folder / "a")), examples("stacks/smoke.digests")),
    "checksums": Parser(of_text(checksums.parse), [f"{SHA256}  a\n{SHA256} *b c\n".encode()]),
    "checksum file": Parser(of_file("a", lambda folder: listing.listed(folder / "a")), [f"{SHA256}  a\n".encode()]),
    "provenance": Parser(
        of_file("a", lambda folder: listing.origin(folder / "a", {"x": SHA256})),
        [
            json.dumps(
                {
                    "subject": [{"name": "x", "digest": {"sha256": SHA256}}],
                    "predicate": {
                        "buildDefinition": {
                            "externalParameters": {"stack": "smoke"},
                            "resolvedDependencies": [{"name": "lock", "digest": {"sha256": SHA256}}],
                        }
                    },
                }
            ).encode()
        ],
    ),
    "public key": Parser(
        of_text(minisign.PublicKey.read), [b"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"]
    ),
    "public key file": Parser(
        of_file("a.pub", lambda folder: minisign.PublicKey.read(str(folder / "a.pub"))),
        [b"untrusted comment: x\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n"],
    ),
    "OCI index": Parser(of_file("index.json", oci.read_index), [json.dumps(INDEX).encode()]),
    "OCI layout": Parser(
        of_file("images/s/index.json", lambda folder: OciImages().result(folder / "images/s", Cache(folder))), [b"{}"]
    ),
    "test results": Parser(
        of_file("verify/s-bios/report.json", lambda folder: verification.find("s", folder)),
        [b'{"passed": 1, "failed": 0, "skipped": 0, "failures": [], "seconds_of_tests": 1.5}'],
    ),
    "JUnit": Parser(
        of_file("a.xml", lambda folder: suite.read_junit(folder / "a.xml")),
        [
            b'<testsuites><testsuite tests="2" skipped="0" time="1.5"><testcase classname="a" name="b"/>'
            b'<testcase name="c"><failure message="d"/></testcase></testsuite></testsuites>'
        ],
    ),
    "autoinstall, installed by us": Parser(of_text(install), [AUTOINSTALL.encode()]),
    "autoinstall, theirs": Parser(
        of_file("a.yaml", validated),
        [AUTOINSTALL.encode()],
    ),
    "install-sources": Parser(
        of_file("a", lambda folder: install_sources.ids(folder / "a")),
        [
            b"- {id: ubuntu-server, default: true, size: 1, path: a.squashfs, type: fsimage}\n",
            b"sources: []",
        ],
    ),
    "sources.list": Parser(
        of_file("sources.list", lambda folder: list(apt_sources.read(folder))),
        [b"deb [signed-by=/x] http://h/debian bookworm main\n"],
    ),
    "deb822 sources": Parser(
        of_file("sources.list.d/a.sources", lambda folder: list(apt_sources.read(folder))),
        [b"Types: deb\nURIs: http://h/debian\nSuites: bookworm\nComponents: main\nEnabled: yes\n"],
    ),
    "uv.toml": Parser(
        of_file("etc/uv/uv.toml", lambda folder: host_config.python_index({"HOME": "/nonexistent"}, folder)),
        [b'[[index]]\nurl = "http://h/simple"\ndefault = true\n'],
    ),
    "pip.conf": Parser(
        of_file("etc/pip.conf", lambda folder: host_config.python_index({"HOME": "/nonexistent"}, folder)),
        [b"[global]\nindex-url = http://h/simple\n"],
    ),
    "condarc": Parser(
        of_file(".condarc", lambda folder: host_config.conda_channel("conda-forge", {"HOME": str(folder)}, folder)),
        [b"channel_alias: http://h\ncustom_channels: {conda-forge: http://h}\n"],
    ),
    "URL": Parser(of_text(mirrors.without_credentials), [b"http://ada:secret@h:80/debian?x#y"]),
    "dpkg's list": Parser(
        of_file("var/lib/dpkg/info/a.list", measure.owned_by_debs), [b"/.\n/usr\n/usr/bin\n/usr/bin/a\n"]
    ),
    "RECORD": Parser(
        of_file("s/a-1.dist-info/RECORD", lambda folder: measure.owned_by_wheels(folder, "s")),
        [b'a/b.py,sha256=x,5\n"a/c,d.py",,\n'],
    ),
    "conda-meta": Parser(
        of_file(
            "opt/conda/conda-meta/a.json",
            lambda folder: [measure.owned_by_conda(folder), licences.of_conda(folder.glob("**/*.json"))],
        ),
        [b'{"name": "a", "license": "MIT", "files": ["lib/a.so"]}'],
    ),
    "METADATA": Parser(
        of_text(lambda text: licences.of_metadata(HeaderParser().parsestr(text))),
        [b"Name: a\nLicense: MIT\nClassifier: License :: OSI Approved :: MIT License\n\ntext\n"],
    ),
    "copyright": Parser(
        of_text(licences.of_copyright),
        [b"Format: x\n\nFiles: *\nLicense: GPL-2+ and MIT\n /usr/share/common-licenses/GPL\n"],
    ),
    "os-release": Parser(
        of_file("usr/lib/os-release", lambda folder: Distribution.of([folder])), [b'ID=debian\nVERSION_ID="12"\n']
    ),
    "driver's version": Parser(
        of_file("proc/driver/nvidia/version", inventory.loaded),
        [b"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build\n"],
    ),
    "card": Parser(of_text(gpu.find), [b"RTX 4090", b"10de:2684", b"mine=8.9", b"sm_90"]),
    "wish": Parser(
        of_text(
            lambda text: [
                constraints.parse_constraint(component, text) for component in ("driver", "cuda", "pytorch", "python")
            ]
        ),
        [b"580", b">=550,<580", b"2.7.1+cu128", b"lts", b"3.12"],
    ),
    "answer of a machine": Parser(
        of_text(lambda text: tunnel._answer("gpubox", text)),
        [
            b'{"home": "/home/ada", "service": "active", "server": {"port": 8888, "token": "ab", "secure": false, '
            b'"base_url": "/"}}'
        ],
    ),
    "what a machine says of itself": Parser(
        of_text(told),
        [
            b"NVRM: Xid (PCI:0000:01:00): 79, pid=1, GPU has fallen off the bus.",
            b'{"smart_status": {"passed": true}, "nvme_smart_health_information_log": {"percentage_used": 9}}',
            b"MemTotal: 16384 kB\nMemAvailable: 1024 kB\n",
            b"16.0 GT/s PCIe",
        ],
    ),
    "text for a terminal": Parser(
        of_text(lambda text: [plain(text), redacted(text), within([text])]), [b"a\x1b]8;;x\x07"]
    ),
}
