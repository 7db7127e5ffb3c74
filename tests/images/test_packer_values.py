"""The Packer projects for others: every variable has its value, whatever is in it, and Packer accepts them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import hcl2
import pytest
from invoke.context import Context

from rigforge.artifacts.iso import Iso
from rigforge.errors import RigforgeError
from rigforge.images.packer_values import iso_values, ubuntu_values
from rigforge.lock.model import Lock, digest, read
from rigforge.records.file import LockedFile
from rigforge.stack.load import load
from rigforge.tasks.packer import packer as packer_task
from rigforge.verify import packer

#: What means something to HCL, a shell, JSON or nobody.
ODD = 'O\'Neil "x" ${var.stack} %{ if } $HOME `id` \\ ü 😀\nsecond line'


def declared(template: str) -> set[str]:
    parsed = hcl2.loads((packer.TEMPLATES / f"{template}.pkr.hcl").read_text())
    return {name.strip('"') for block in parsed["variable"] for name in block if not name.startswith("__")}


@pytest.fixture
def lock() -> Lock:
    files = (
        LockedFile("host", "deb", "nvidia-utils-580-server", "580.1-0ubuntu1", "ubuntu:pool/n.deb", 1, "a" * 64),
        LockedFile("host", "deb", "sudo", "1", "ubuntu:pool/s.deb", 1, "b" * 64),
        LockedFile("medium", "iso", "live-server", "24.04.4", "ubuntu-releases:noble/u.iso", 1, "c" * 64),
    )
    return Lock("ubuntu-24.04", "", 0, {}, (), files)


def test_every_variable_of_the_mediums_build_is_given(tmp_path: Path) -> None:
    stack, iso = load("smoke"), Iso().path("smoke", tmp_path / "out")
    values = iso_values(stack, read(stack.lock_path), tmp_path / "site.toml", iso)
    assert set(values) == declared("iso")
    assert values["iso"] == f"{tmp_path}/out/rigforge-smoke.iso"
    assert values["lock_sha256"] == digest(read(stack.lock_path))


def test_the_machine_gets_the_locked_medium_driver_and_layers(lock: Lock, tmp_path: Path) -> None:
    stack, iso, key = load("ubuntu-24.04"), tmp_path / "u.iso", tmp_path / "key"
    values = ubuntu_values(stack, lock, iso, [tmp_path / "cuda.squashfs"], key, tmp_path / "project")
    assert set(values) | {"ssh_timeout"} == declared("ubuntu")
    assert values["iso_checksum"] == f"sha256:{'c' * 64}"
    assert values["packages"] == ["nvidia-utils-580-server=580.1-0ubuntu1"]
    iso.write_text("")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (tmp_path / "cuda.squashfs").write_text("")
    project = packer.render(tmp_path / "project", "ubuntu", values, packer.version())
    packer.validate(project, packer.version())


def test_a_stack_with_a_medium_of_our_own_has_no_such_machine(tmp_path: Path) -> None:
    stack = load("smoke")
    with pytest.raises(RigforgeError, match="stack smoke is of debian"):
        ubuntu_values(stack, read(stack.lock_path), tmp_path, [], tmp_path, tmp_path)


def test_packer_runs_the_build_and_leaves_a_manifest_whatever_is_in_the_values(tmp_path: Path) -> None:
    """The program that builds is a stand-in that writes down what it was given."""
    out = tmp_path / "out"
    out.mkdir()
    program = tmp_path / "bootstrap"
    program.write_text(f"#!/bin/sh\nprintf '%s\\0' \"$@\" >{out}/given\necho medium >{out}/rigforge.iso\n")
    program.chmod(0o755)
    values: dict[str, Any] = {"bootstrap": str(program), "stack": ODD, "site": ODD[::-1], "out": str(out)}
    values |= {"iso": f"{out}/rigforge.iso", "lock_sha256": "d" * 64}
    project = packer.render(tmp_path / "project", "iso", values, packer.version())
    packer.validate(project, packer.version())
    packer.build(project, tmp_path / "log")
    given = (out / "given").read_text().split("\0")[:-1]
    assert given == ["build-iso", "--stack", ODD, "--site", ODD[::-1], "--out", str(out)]
    (build,) = json.loads((out / "rigforge.iso.manifest.json").read_text())["builds"]
    assert build["custom_data"] == {"stack": ODD, "lock_sha256": "d" * 64}
    assert f"{out}/rigforge.iso" in {file["name"] for file in build["files"]}
    assert re.match(r"[0-9a-f]{64}\t", (out / "rigforge.iso.sha256").read_text())


def test_the_task_writes_a_project_and_loses_nothing_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site.toml").write_text('[machine]\nhostname = "gpu1"\n')
    (tmp_path / "project").mkdir()
    (tmp_path / "project/mine").write_text("kept")
    packer_task(Context(), "iso", stack="smoke", site="site.toml", out="project")
    assert capsys.readouterr().out == "packer: project\n"
    assert (tmp_path / "project/mine").read_text() == "kept"
    packer.validate(tmp_path / "project", packer.version())


def test_the_command_line_names_the_template_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text('[machine]\nhostname = "gpu1"\n')
    command = [sys.executable, "-m", "rigforge.cli", "packer", "iso", "--stack", "smoke", "--out", "project"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "packer: project\n"), done.stderr


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("vm", "there is no template 'vm' for others to run"),
        ("iso", "site.toml: there is no such file"),
        ("ubuntu", "--key is missing"),
    ],
)
def test_what_the_task_needs_is_asked_for(
    template: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        packer_task(Context(), template, stack="smoke")
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
