"""UEFI firmware with Microsoft's keys, and a test certificate among them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rigforge.errors import RigforgeError
from rigforge.verify import firmware

SUBJECT = "Rigforge test key"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("key")
    made = folder / "certificate.pem"
    key = ["-newkey", "rsa:2048", "-nodes", "-keyout", str(folder / "key.pem")]
    subprocess.run(
        ["openssl", "req", "-x509", *key, "-subj", f"/CN={SUBJECT}", "-days", "2", "-out", str(made)],
        check=True,
        capture_output=True,
    )
    return made


def variables(flash: firmware.Flash) -> dict[str, Any]:
    """The variables by name, as virt-fw-vars reads them."""
    out = flash.variables.with_suffix(".json")
    tool = [sys.executable, "-m", "virt.firmware.vars"]
    subprocess.run([*tool, "--input", flash.variables, "--output-json", out], check=True, capture_output=True)
    return {variable["name"]: variable for variable in json.loads(out.read_text())["variables"]}


def holds(variable: dict[str, Any], text: str) -> bool:
    return text.encode() in bytes.fromhex(variable["data"])


def test_secure_boot_firmware_trusts_microsoft(tmp_path: Path) -> None:
    found = variables(firmware.flash(True, tmp_path / "variables.fd"))
    assert holds(found["db"], "Microsoft Corporation UEFI CA 2011")
    assert "MokList" not in found


def test_plain_firmware_trusts_nobody(tmp_path: Path) -> None:
    assert "db" not in variables(firmware.flash(False, tmp_path / "variables.fd"))


def test_machine_owner_key_is_enrolled_as_mokutil_would(tmp_path: Path, certificate: Path) -> None:
    found = variables(firmware.flash(True, tmp_path / "variables.fd", machine_owner_key=certificate))
    assert holds(found["MokList"], SUBJECT)
    assert not holds(found["db"], SUBJECT)


def test_signature_key_joins_the_firmwares_own(tmp_path: Path, certificate: Path) -> None:
    found = variables(firmware.flash(True, tmp_path / "variables.fd", signature_key=certificate))
    assert holds(found["db"], SUBJECT)
    assert holds(found["db"], "Microsoft Corporation UEFI CA 2011")


def test_every_run_starts_with_fresh_variables(tmp_path: Path, certificate: Path) -> None:
    copy = tmp_path / "variables.fd"
    firmware.flash(True, copy, machine_owner_key=certificate)
    assert "MokList" not in variables(firmware.flash(True, copy))


def test_missing_firmware_names_the_package(tmp_path: Path) -> None:
    with pytest.raises(RigforgeError, match="OVMF_CODE_4M") as caught:
        firmware.flash(False, tmp_path / "variables.fd", ovmf=tmp_path)
    assert "package ovmf" in caught.value.hint


def test_missing_certificate_is_named(tmp_path: Path) -> None:
    with pytest.raises(RigforgeError, match="no such certificate"):
        firmware.flash(True, tmp_path / "variables.fd", machine_owner_key=tmp_path / "none.pem")
