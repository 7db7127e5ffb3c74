"""`invoke explain`, as people and programs call it."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.command import rigforge


def explain(*arguments: str | Path) -> CompletedProcess[str]:
    return rigforge("explain", *arguments)


def as_json(*arguments: str) -> dict[str, Any]:
    done = explain(*arguments, "--json")
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (1 if found["verdict"] == "impossible" else 0)
    return found


def test_programs_get_one_object() -> None:
    found = as_json("--gpu", "RTX 5090", "--gpu", "4090")
    assert found["verdict"] == "native"
    assert found["gpus"] == [
        {"name": "GeForce RTX 5090", "compute_capability": "12.0"},
        {"name": "GeForce RTX 4090", "compute_capability": "8.9"},
    ]
    assert found["driver"] == {"branch": "620", "version": "620.70.06", "module": "open"}
    assert (found["cuda"], found["cudnn"], found["nccl"]) == ("13.2.2", "9.26.0.51", "2.30.7")
    assert found["pytorch"] == {"version": "2.15.0", "index": "pypi"}
    assert found["python"] == "3.14"
    assert found["reasons"] and all(isinstance(reason, str) for reason in found["reasons"])
    assert (found["conflict"], found["alternatives"]) == ([], [])


def test_what_is_impossible_has_conflict_and_alternatives_of_the_same_shape() -> None:
    found = as_json("--gpu", "1080 Ti", "--cuda", "13")
    assert found["verdict"] == "impossible"
    assert found["driver"] is None and found["cuda"] is None and found["pytorch"] is None
    assert "CUDA 13 has no code for compute capability 6.1" in found["conflict"][1]
    (nearest,) = found["alternatives"]
    assert nearest.keys() - {"without"} == found.keys() - {"findings"}
    assert nearest["without"] == ['cuda = "13"']
    assert nearest["pytorch"] == {"version": "2.14.1", "index": "cu126"}


def test_a_stack_brings_its_cards_its_archives_and_its_versions() -> None:
    found = as_json("--stack", "debian-12")
    assert found["verdict"] == "minor-compat"
    assert found["driver"]["version"] == "535.309.01"
    assert found["python"] == "3.11"
    assert "T4" in str(found["gpus"])


def test_the_command_line_comes_before_the_stack() -> None:
    found = as_json("--stack", "debian-12", "--gpu", "5090")
    assert found["verdict"] == "impossible"
    assert [gpu["name"] for gpu in found["gpus"]] == ["GeForce RTX 5090"]
    assert "debian bookworm" in found["conflict"][0]


def test_people_get_the_chain_with_its_reasons() -> None:
    done = explain("--gpu", "4090", "--prefer", "lts")
    assert done.returncode == 0
    for part in ("GeForce RTX 4090: native", "620.70.06", "13.2.2", "2.15.0", "long-term", "until 2029-09"):
        assert part in done.stdout


def test_of_a_chip_beside_an_arm_processor_it_is_said_for_whom_the_answer_is() -> None:
    out = explain("--gpu", "DGX Spark").stdout
    assert "with a processor of arm64: the choice below is for amd64" in " ".join(out.split())


def test_people_get_what_would_work_instead() -> None:
    done = explain("--gpu", "4090", "--pytorch", "2.15", "--driver", "535")
    assert done.returncode == 1
    assert 'pytorch = "2.15" and driver = "535" cannot be had together' in done.stdout
    assert "2.14.1+cu126" in done.stdout


def test_the_picture_is_a_page_of_its_own(tmp_path: Path) -> None:
    page = tmp_path / "out/explain.html"
    done = explain("--gpu", "4090", "--gpu", "1080 Ti", "--graph", page)
    assert f"picture: {page}" in done.stderr
    text = page.read_text()
    assert text.count("<svg") == 1
    for part in ("GeForce RTX 4090 (8.9)", "driver 580.178.04", "CUDA 12.6.77", "PyTorch 2.14.1", "Python 3.13"):
        assert part in text


def test_the_picture_of_what_is_impossible_shows_what_would_work(tmp_path: Path) -> None:
    page = tmp_path / "explain.html"
    explain("--gpu", "1080 Ti", "--cuda", "13", "--graph", page)
    text = page.read_text()
    assert "Without cuda = &#34;13&#34;" in text
    assert text.count("<svg") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gpu", "RTX 5O90"], "GPU 'RTX 5O90' is not known"),
        (["--gpu", "4090", "--cuda", "twelve"], "--cuda = 'twelve' is no version"),
        (["--gpu", "4090", "--driver", "newest"], "--driver = 'newest' is no version"),
        (["--gpu", "4090", "--provider", "conda"], "--provider = 'conda' is no version"),
        (["--stack", "debian-99"], "debian-99"),
        (["--this-machine", "--interpreter", "/no/python"], "there is no Python /no/python"),
    ],
)
def test_bad_input_gets_one_clear_error(arguments: list[str], message: str) -> None:
    done = explain(*arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_an_order_that_there_is_not_is_wrong_usage() -> None:
    done = explain("--gpu", "4090", "--prefer", "oldest")
    assert done.returncode == 2
    assert "newest, lts, native" in done.stderr


def test_this_machine_is_looked_at() -> None:
    done = explain("--this-machine", "--json")
    findings = json.loads(done.stdout)["findings"]
    assert findings and {finding["status"] for finding in findings} <= {"ok", "warning", "failed"}
    assert (done.returncode == 1) == any(finding["status"] == "failed" for finding in findings)


def test_several_cards_of_a_kind_are_counted() -> None:
    done = explain("--gpu", "4090", "--gpu", "RTX 4090", "--gpu", "T4")
    assert "2 × GeForce RTX 4090, Tesla T4: native" in done.stdout + done.stderr
