"""The image tests choose themselves by what was built; what does not apply is left out when they are collected."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rigforge.paths import PROJECT
from rigforge.verify.expectations import Expectations

SMOKE = Expectations(
    stack="smoke",
    firmware="bios",
    installer="rigforge",
    hostname="rigforge-test",
    username="rigforge",
    locale="C.UTF-8",
    timezone="Etc/UTC",
    layout="direct",
    env="",
    medium_id="c0ffee",
    module_signed=False,
    versions={"kernel": "6.1.0-56-amd64"},
    layers=("base", "host"),
    archives=("bookworm main",),
)
GPU = {"driver": "535", "cuda": "12.8.90", "cudnn": "9.10.2.21", "pytorch": "2.10.0", "python": "3.11.2"}
FULL = SMOKE.model_copy(
    update={
        "versions": {**SMOKE.versions, **GPU, "jupyterlab": "4.6.6"},
        "layers": ("base", "python", "devel", "host"),
        "debs": {"bash": "5.2.15-2+b13", "unattended-upgrades": "2.9.1+nmu3"},
        "wheels": {"torch": "2.10.0"},
    }
)
IN_CONTAINER = {name: version for name, version in FULL.versions.items() if name not in ("kernel", "driver")}
CONTAINER = FULL.model_copy(update={"firmware": "", "versions": IN_CONTAINER, "layers": ("base", "python")})


def pytest_run(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-o",
        "addopts=",
        PROJECT / "image_tests",
        *arguments,
    ]
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, env={**os.environ, **variables})


def collected(folder: Path, expected: Expectations) -> tuple[set[str], str]:
    """The tests that apply, as file::name, and pytest's last line."""
    file = folder / "expectations.json"
    file.write_text(expected.model_dump_json())
    run = pytest_run("--collect-only", "-q", "--hosts=local://", f"--expectations={file}")
    assert run.returncode == 0, run.stdout + run.stderr
    lines = run.stdout.strip().splitlines()
    return {line.removeprefix("image_tests/").split("[")[0] for line in lines if "::" in line}, lines[-1]


def test_a_stack_without_gpu_software_is_tested_without_it(tmp_path: Path) -> None:
    tests, last = collected(tmp_path, SMOKE)
    subjects = ("at_rest", "boot", "disk", "doctor", "firewall", "network", "report", "ssh", "system", "updates")
    assert {test.split("::")[0] for test in tests} == {f"test_{subject}.py" for subject in subjects}
    assert "test_boot.py::test_kernel_is_the_locked_one_and_the_only_one" in tests
    assert "deselected" in last


def test_the_full_stack_leaves_out_only_what_is_for_containers_conda_and_ubuntu(tmp_path: Path) -> None:
    tests, _ = collected(tmp_path, FULL)
    assert "test_cuda.py::test_assembler_is_of_the_same_cuda" in tests
    assert {test.split("::")[0] for test in tests} == {
        file.name
        for file in (PROJECT / "image_tests").glob("test_*.py")
        if file.name not in ("test_conda.py", "test_container.py", "test_gpu.py", "test_subiquity.py")
    }


def test_canonicals_installer_is_asked_about_what_it_alone_does(tmp_path: Path) -> None:
    tests, _ = collected(tmp_path, FULL.model_copy(update={"installer": "subiquity"}))
    assert "test_subiquity.py::test_no_other_kernel_was_installed" in tests
    assert "test_driver.py::test_module_is_signed_by_canonical" in tests
    assert "test_inventory.py::test_dpkg_knows_the_compiled_kernel_module" not in tests
    assert "test_disk.py::test_disk_has_a_gpt_with_partitions_for_both_firmwares" not in tests


def test_a_container_is_tested_for_what_it_holds(tmp_path: Path) -> None:
    tests, _ = collected(tmp_path, CONTAINER)
    assert "test_container.py::test_tini_is_the_init" in tests
    assert "test_python.py::test_pytorch_uses_the_locked_cudnn" in tests
    assert "test_inventory.py::test_python_metadata_has_the_locked_wheels_and_no_others" in tests
    assert "test_inventory.py::test_dpkg_knows_the_compiled_kernel_module" not in tests
    assert "test_cuda.py::test_assembler_is_of_the_same_cuda" not in tests
    assert "test_cuda.py::test_driver_misses_nothing_but_a_gpu" not in tests
    assert not [test for test in tests if test.startswith(("test_boot", "test_disk", "test_ssh", "test_driver"))]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((), "--expectations=FILE"), (("--expectations=/none.json",), "cannot read expectations from /none.json")],
)
def test_without_expectations_the_tests_say_what_they_need(arguments: tuple[str, ...], said: str) -> None:
    run = pytest_run("--hosts=local://", *arguments)
    assert run.returncode == 4
    assert said in run.stderr
    assert "Traceback" not in run.stderr


def test_an_ssh_server_that_is_restarted_is_waited_for(tmp_path: Path) -> None:
    """A stand-in for ssh that is refused twice; what it answers afterwards is empty."""
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\necho >> {tmp_path}/calls\n[ "$(wc -l < {tmp_path}/calls)" -gt 2 ] || exit 255\n')
    ssh.chmod(0o755)
    file = tmp_path / "expectations.json"
    file.write_text(SMOKE.model_dump_json())
    options = ("--hosts=ssh://machine", f"--expectations={file}", "-k", "test_hostname")
    run = pytest_run(*options, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert "RuntimeError" not in run.stdout
    assert "AssertionError" in run.stdout
