"""The files that one verification reads and leaves behind."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from rigforge import process

#: Beside the logs of a verification: its report as JSON, where the tests were run.
REPORT = "report.json"


@dataclass(frozen=True)
class Files:
    """The files of one verification, all in one folder."""

    out: Path

    @property
    def private_key(self) -> Path:
        return self.out / "id_ed25519"

    @property
    def cidata(self) -> Path:
        return self.out / "cidata.img"

    @property
    def variables(self) -> Path:
        return self.out / "variables.fd"

    @property
    def disk(self) -> Path:
        return self.out / "disk" / "machine.qcow2"

    @property
    def serial_log(self) -> Path:
        return self.out / "serial.log"

    @property
    def packer_log(self) -> Path:
        return self.out / "packer.log"

    @property
    def installer_logs(self) -> Path:
        """What cloud-init/ubuntu.yaml.j2 has put on the seed's volume, by that name, where the installation failed."""
        return self.out / "rigforge-logs.tar.gz"

    @property
    def results(self) -> Path:
        return self.out / "tests.xml"

    @property
    def report(self) -> Path:
        return self.out / REPORT

    @property
    def expectations(self) -> Path:
        return self.out / "expectations.json"

    @property
    def pidfile(self) -> Path:
        return self.out / "qemu.pid"

    def prepare(self) -> str:
        """Removes what an earlier run left, makes a key pair for this one and returns its public key."""
        self.out.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.disk.parent, ignore_errors=True)
        public = self.private_key.with_suffix(".pub")
        logs = (self.serial_log, self.packer_log, self.installer_logs)
        for file in (self.private_key, public, self.cidata, *logs, self.results, self.report):
            file.unlink(missing_ok=True)
        process.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "rigforge verify", "-f", self.private_key])
        return public.read_text().strip()
