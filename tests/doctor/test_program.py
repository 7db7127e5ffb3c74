"""The program as it is handed out: one file, built here (half a minute)."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import jsonschema
import pytest
from PyInstaller.archive.readers import CArchiveReader

from rigforge.doctor.build import PROGRAM, build
from rigforge.paths import PROJECT
from tests.doctor.machines import answers

pytestmark = pytest.mark.build

#: glibc of Ubuntu 22.04.
OLDEST_C_LIBRARY = (2, 35)


@pytest.fixture(scope="module")
def doctor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("doctor"))


def run(doctor: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [doctor, *arguments]
    # No PATH: there is no Python that it could use.
    return subprocess.run(command, capture_output=True, text=True, env={"HOME": "/nonexistent", **environment})


def processor_seconds() -> float:
    """What the programs that were run have taken of the processor; what others take of it does not count."""
    return sum(os.times()[2:4])


def test_it_is_small_and_starts_at_once(doctor: Path) -> None:
    assert doctor.stat().st_size <= 25 * 1000**2
    start = processor_seconds()
    assert run(doctor, "--help").returncode == 0
    assert processor_seconds() - start < 1


def test_it_runs_on_the_c_library_of_the_oldest_supported_base(doctor: Path, tmp_path: Path) -> None:
    """Every ELF file in it, and the loader itself, asks for no newer version of a symbol than Ubuntu 22.04 has."""
    archive = CArchiveReader(str(doctor))
    parts = {name: content for name in archive.toc if (content := archive.extract(name)).startswith(b"\x7fELF")}
    assert {"markupsafe/_speedups", "pydantic_core/_pydantic_core"} <= {name.partition(".")[0] for name in parts}
    needed = {}
    for number, (name, content) in enumerate({PROGRAM: doctor.read_bytes(), **parts}.items()):
        (tmp_path / str(number)).write_bytes(content)
        command = ["readelf", "--version-info", "--wide", tmp_path / str(number)]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        versions = re.findall(r"Name: GLIBC_(\d+)\.(\d+)", told)
        needed[name] = max(((int(major), int(minor)) for major, minor in versions), default=(0, 0))
    assert max(needed.values()) <= OLDEST_C_LIBRARY, needed


def test_two_builds_give_the_same_bytes(doctor: Path, tmp_path: Path) -> None:
    assert build(tmp_path).read_bytes() == doctor.read_bytes()


def test_its_answer_is_as_documented_and_its_exit_code_is_the_verdict(doctor: Path, mock: Path, tmp_path: Path) -> None:
    (tmp_path / "mock").write_text(answers(8, gpu3={"temperature": 95}))
    start = processor_seconds()
    done = run(doctor, "--json", LD_LIBRARY_PATH=str(mock), MOCK_NVML=str(tmp_path / "mock"))
    assert processor_seconds() - start < 3
    answer = json.loads(done.stdout)
    jsonschema.validate(answer, json.loads((PROJECT / "docs/doctor.schema.json").read_text()))
    identities = [check["id"] for check in answer["checks"]]
    assert len(identities) == len(set(identities))
    assert (answer["verdict"], done.returncode) == ("failed", 2)
    assert len(answer["machine"]["gpus"]) == 8
    # It was started with a library path of its own, which PyInstaller's loader adds to.
    (path,) = (check["measured"] for check in answer["checks"] if check["id"] == "library-path")
    assert str(mock) in path
    assert "_MEI" not in path


def test_a_terminal_gets_the_reason_and_the_cure_of_what_is_wrong(doctor: Path, mock: Path, tmp_path: Path) -> None:
    (tmp_path / "mock").write_text(answers(1, gpu0={"power_limit": 300_000}))
    text = run(doctor, LD_LIBRARY_PATH=str(mock), MOCK_NVML=str(tmp_path / "mock")).stdout
    assert "! gpu-power          GPU 0: limit 300 W, default 450 W" in text
    # Where the tests run in a container, that is the host's to do.
    assert re.search("fix: (on the host: )?sudo nvidia-smi -i 0 -pl 450, if it was no choice", text)


def test_the_documentation_names_every_check(doctor: Path) -> None:
    text = (PROJECT / "docs/doctor.md").read_text()
    answer = json.loads(run(doctor, "--json", **dict(os.environ)).stdout)
    assert [check["id"] for check in answer["checks"] if f"`{check['id']}`" not in text] == []


def test_it_is_its_own_child_that_asks_cuda(doctor: Path, tmp_path: Path) -> None:
    library = tmp_path / "libcuda.so.1"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, Path(__file__).with_name("cuda.c")], check=True)
    Path(f"{library}.told").write_text("devices 2\ncontext-1 46\n")
    start = processor_seconds()
    said = run(doctor, "ask-cuda", str(library), "5", "0,7").stdout.splitlines()
    assert processor_seconds() - start < 1
    assert said[-3:] == ["devices 2", "context-1 ?", "context-1 46 CUDA_ERROR_OF_SOME_KIND"]


def test_the_report_is_one_file_with_the_worst_first(doctor: Path, mock: Path, tmp_path: Path) -> None:
    (tmp_path / "mock").write_text(answers(2, gpu1={"name": "<b>&", "temperature": 95}))
    page = tmp_path / "report.html"
    environment = {"LD_LIBRARY_PATH": str(mock), "MOCK_NVML": str(tmp_path / "mock")}
    assert run(doctor, "--report", str(page), **environment).returncode == 2
    text = page.read_text()
    assert "&lt;b&gt;&amp;" in text
    assert text.index("gpu-temperature") < text.index("gpu-bus")
    assert not any(word in text for word in ("src=", "href=", "url("))


def test_it_looks_again_until_ctrl_c(doctor: Path) -> None:
    command = [doctor, "--json", "--watch", "0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"HOME": "/nonexistent"}) as watching:
        assert watching.stdout
        answers = [json.loads(watching.stdout.readline()) for _ in range(2)]
        watching.send_signal(signal.SIGINT)
        assert watching.wait(30) == 130
    assert [set(answer) for answer in answers] == [{"verdict", "machine", "checks"}] * 2


def test_a_report_that_cannot_be_written_is_one_line(doctor: Path) -> None:
    done = run(doctor, "--report", "/nowhere/report.html")
    assert done.returncode == 2
    assert done.stderr.startswith("rigforge-doctor: --report: ")
    assert len(done.stderr.splitlines()) == 1


def test_it_brings_along_what_keeps_gpus_busy(doctor: Path, mock: Path, python: Path, tmp_path: Path) -> None:
    (tmp_path / "mock").write_text(answers(1, gpu0={"draw": 440_000, "utilisation": 100}))
    environment = {"LD_LIBRARY_PATH": str(mock), "MOCK_NVML": str(tmp_path / "mock"), "VIRTUAL_ENV": str(tmp_path)}
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3").symlink_to(python)
    page = tmp_path / "report.html"
    burnt = run(doctor, "burn-in", "--minutes", "0.03", "--json", "--report", str(page), **environment)
    assert json.loads(burnt.stdout)["checks"][0]["status"] == "ok", burnt.stderr
    assert json.loads(burnt.stdout)["python"] == str(tmp_path / "bin/python3")
    assert "<polyline" in page.read_text()
    tuned = run(doctor, "tune", "--yes", "--seconds", "0.6", "--json", "--report", str(page), **environment)
    assert json.loads(tuned.stdout)["gpus"][0]["recommended"] == {"kind": "power", "value": 360}, tuned.stdout
    assert "<polyline" in page.read_text()


def test_a_stopped_burn_in_of_the_program_ends_with_its_report(
    doctor: Path, mock: Path, python: Path, tmp_path: Path
) -> None:
    (tmp_path / "mock").write_text(answers(1))
    environment = {**os.environ, "LD_LIBRARY_PATH": str(mock), "MOCK_NVML": str(tmp_path / "mock")}
    command = [doctor, "burn-in", "--python", python]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    time.sleep(8)
    # As a terminal does: to the loader and to the program, which the loader passes it on to.
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "of 10:00, then it was stopped" in said


def test_it_plans_an_upgrade(doctor: Path) -> None:
    """Here there is no driver to plan for; what it does where there is one is in tests/doctor/upgrade."""
    done = run(doctor, "upgrade", "--plan", "--json")
    assert done.stderr == ""
    assert (json.loads(done.stdout)["status"], done.returncode) == ("unknown", 1)
