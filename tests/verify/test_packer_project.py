"""The Packer project that a verification runs: versions, variables, and what Packer itself says of it."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import hcl2
import pytest
from packaging.version import Version
from stand_ins import a_machine

from rigforge.artifacts.iso import FIRMWARES, Firmware
from rigforge.errors import RigforgeError
from rigforge.process import CommandFailed
from rigforge.verify import packer, qemu

TEMPLATES = sorted(packer.TEMPLATES.glob("*.pkr.hcl"))
WITHOUT_COMMENTS = hcl2.SerializationOptions(with_comments=False)
OLD, NEW = Version("1.6.6"), Version("1.15.0")


@pytest.fixture
def variables(tmp_path: Path) -> packer.Variables:
    iso, key = tmp_path / "medium.iso", tmp_path / "key"
    iso.touch()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    return packer.Variables(
        iso=str(iso),
        output_directory=str(tmp_path / "disk"),
        disk_mib=12288,
        qemuargs=[["-machine", "q35"], ["-display", "none"]],
        ssh_port=2222,
        ssh_username="rigforge",
        ssh_private_key_file=str(key),
        ssh_timeout="30m",
        test_command="pytest 'a folder'",
    )


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("Packer v1.6.6\n", "1.6.6"),
        ("Packer v1.11.2\n\nYour version of Packer is out of date! The latest version\nis 1.15.0.\n", "1.11.2"),
        ("Packer v1.7.0-dev (4e6c1d0)\n", "1.7.0.dev0"),
    ],
)
def test_version_is_read_from_what_packer_says(said: str, version: str) -> None:
    assert str(packer.parse_version(said)) == version


def test_an_answer_without_a_version_is_quoted() -> None:
    with pytest.raises(RigforgeError, match="command not found"):
        packer.parse_version("packer: command not found")


@pytest.mark.parametrize(
    ("version", "wanted"), [("1.6.6", False), ("1.7.0.dev0", True), ("1.7.0", True), ("2.0", True)]
)
def test_plugins_are_asked_for_from_packer_1_7_on(version: str, wanted: bool) -> None:
    assert packer.wants_plugins(Version(version)) == wanted


def test_required_plugins_are_left_out_where_packer_would_refuse_them(
    tmp_path: Path, variables: packer.Variables
) -> None:
    old = packer.render(tmp_path / "old", "machine", asdict(variables), OLD)
    new = packer.render(tmp_path / "new", "machine", asdict(variables), NEW)
    assert not [file for file in old.glob("*.pkr.hcl") if "required_plugins" in file.read_text()]
    plugins = hcl2.loads((new / "plugins.pkr.hcl").read_text())["packer"][0]["required_plugins"]
    assert "qemu" in plugins[0]


def test_rendering_leaves_nothing_of_an_earlier_project(tmp_path: Path, variables: packer.Variables) -> None:
    project = packer.render(tmp_path / "project", "machine", asdict(variables), NEW)
    packer.render(project, "machine", asdict(variables), OLD)
    assert sorted(file.name for file in project.iterdir()) == ["machine.auto.pkrvars.json", "machine.pkr.hcl"]


def test_every_variable_of_the_machine_is_given_and_no_other(tmp_path: Path, variables: packer.Variables) -> None:
    project = packer.render(tmp_path / "project", "machine", asdict(variables), OLD)
    template = hcl2.loads((project / "machine.pkr.hcl").read_text())
    declared = {name.strip('"') for block in template["variable"] for name in block if not name.startswith("__")}
    given = json.loads((project / "machine.auto.pkrvars.json").read_text())
    assert given == asdict(variables)
    assert declared == set(given)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_variable_is_used(template: Path) -> None:
    text = template.read_text()
    declared = set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE))
    assert set(re.findall(r"\bvar\.(\w+)", text)) == declared


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_template_survives_a_round_trip_through_hcl2(template: Path) -> None:
    parsed = hcl2.loads(template.read_text(), serialization_options=WITHOUT_COMMENTS)
    assert parsed
    assert hcl2.loads(hcl2.dumps(parsed)) == parsed


@pytest.mark.parametrize("template", ["iso", "machine", "ubuntu"])
def test_a_rendered_project_is_as_packer_formats_it(tmp_path: Path, template: str) -> None:
    project = packer.render(tmp_path / "project", template, {"name": "O'Neil  ${x}"}, NEW)
    assert len(list(project.glob("*.pkr.hcl"))) == 2
    done = subprocess.run(["packer", "fmt", "-check", "-diff", project], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize("kind", FIRMWARES)
def test_packer_accepts_the_project(tmp_path: Path, variables: packer.Variables, kind: Firmware) -> None:
    version = packer.version()
    of_this_firmware = replace(variables, qemuargs=qemu.arguments(a_machine(tmp_path, kind)))
    project = packer.render(tmp_path / "project", "machine", asdict(of_this_firmware), version)
    packer.validate(project, version)


def test_packer_refuses_a_project_whose_key_is_missing(tmp_path: Path, variables: packer.Variables) -> None:
    version = packer.version()
    broken = replace(variables, ssh_private_key_file=str(tmp_path / "none"))
    project = packer.render(tmp_path / "project", "machine", asdict(broken), version)
    with pytest.raises(CommandFailed, match="ssh_private_key_file is invalid"):
        packer.validate(project, version)
