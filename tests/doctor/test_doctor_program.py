"""The program as it is handed out: one file, built here (half a minute)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import jsonschema
import pytest
from machines import answers

from rigforge.doctor.build import build
from rigforge.state import PROJECT

pytestmark = pytest.mark.build


@pytest.fixture(scope="module")
def doctor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("doctor"))


def run(doctor: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [doctor, *arguments]
    # No PATH: there is no Python that it could use.
    return subprocess.run(command, capture_output=True, text=True, env={"HOME": "/nonexistent", **environment})


def test_it_is_small_and_starts_at_once(doctor: Path) -> None:
    assert doctor.stat().st_size <= 25 * 1000**2
    run(doctor, "--help")
    start = time.monotonic()
    assert run(doctor, "--help").returncode == 0
    assert time.monotonic() - start < 1


def test_its_answer_is_as_documented_and_its_exit_code_is_the_verdict(doctor: Path, mock: Path, tmp_path: Path) -> None:
    (tmp_path / "mock").write_text(answers(8, gpu3={"temperature": 95}))
    start = time.monotonic()
    done = run(doctor, "--json", LD_LIBRARY_PATH=str(mock), MOCK_NVML=str(tmp_path / "mock"))
    assert time.monotonic() - start < 3
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
    (tmp_path / "mock").write_text(answers(1, gpu0={"persistence": 0}))
    text = run(doctor, LD_LIBRARY_PATH=str(mock), MOCK_NVML=str(tmp_path / "mock")).stdout
    assert "! gpu-persistence    GPU 0: off" in text
    assert "fix: sudo systemctl enable --now nvidia-persistenced" in text


def test_the_documentation_names_every_check(doctor: Path) -> None:
    text = (PROJECT / "docs/doctor.md").read_text()
    answer = json.loads(run(doctor, "--json", **dict(os.environ)).stdout)
    assert [check["id"] for check in answer["checks"] if f"`{check['id']}`" not in text] == []


def test_the_report_is_one_file_with_the_worst_first(doctor: Path, mock: Path, tmp_path: Path) -> None:
    (tmp_path / "mock").write_text(answers(2, gpu1={"name": "<b>&", "temperature": 95}))
    page = tmp_path / "report.html"
    environment = {"LD_LIBRARY_PATH": str(mock), "MOCK_NVML": str(tmp_path / "mock")}
    assert run(doctor, "--report", str(page), **environment).returncode == 2
    text = page.read_text()
    assert "&lt;b&gt;&amp;" in text
    assert text.index("gpu-temperature") < text.index("gpu-bus")
    assert not any(word in text for word in ("src=", "href=", "url("))


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
    assert json.loads(tuned.stdout)["gpus"][0]["recommended"] == {"kind": "power", "value": 360}, tuned.stderr
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
