"""What a machine says of itself after a boot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rigforge.installer.login import allow_users
from rigforge.machine.report import (
    Loading,
    addresses,
    ask_doctor,
    driver_lines,
    gpu_lines,
    load_driver,
    reach_lines,
    user,
    write,
)

KERNEL = "6.1.0-56-amd64"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("modprobe: ERROR: could not insert 'nvidia_current': Key was rejected by service", "BLOCKED BY SECURE BOOT"),
        ("modprobe: ERROR: could not insert 'nvidia_current': No such device", "no GPU"),
        ("modprobe: ERROR: could not insert 'nvidia_current': Exec format error", "Exec format error"),
    ],
)
def test_says_why_the_driver_does_not_load(error: str, said: str) -> None:
    assert said in "\n".join(driver_lines(KERNEL, True, Loading(tried=True, error=error)))


def test_a_rejected_module_comes_with_the_ways_out() -> None:
    report = "\n".join(driver_lines(KERNEL, True, Loading(tried=True, error="Key was rejected by service")))
    assert "mokutil --import" in report
    assert "Secure Boot on" in report


def test_a_machine_without_driver_reports_none() -> None:
    assert driver_lines(KERNEL, False, Loading(tried=False)) == [f"kernel {KERNEL}, Secure Boot off"]


def test_no_module_is_loaded_where_the_kernel_has_none(tmp_path: Path) -> None:
    framebuffer = tmp_path / KERNEL / "kernel/drivers/video/fbdev/nvidia/nvidiafb.ko"
    framebuffer.parent.mkdir(parents=True)
    framebuffer.touch()
    assert load_driver(KERNEL, tmp_path) == Loading(tried=False)


@pytest.fixture
def loaded(tmp_path: Path) -> tuple[Path, Path]:
    """What a loaded driver shows of itself in /proc and /sys, with three GPUs of two models."""
    driver, module = tmp_path / "proc", tmp_path / "sys"
    for slot, model in enumerate(("NVIDIA GeForce RTX 3090", "NVIDIA GeForce RTX 3090", "NVIDIA RTX A6000")):
        information = driver / f"gpus/0000:0{slot}:00.0/information"
        information.parent.mkdir(parents=True)
        information.write_text(f"Model: \t\t {model}\nIRQ:   \t\t 42\nGPU UUID: \t GPU-0\n")
    module.mkdir()
    (module / "version").write_text("535.309.01\n")
    return driver, module


def test_names_the_gpus_and_the_drivers_version(loaded: tuple[Path, Path]) -> None:
    said = ["GPUs: 2 x NVIDIA GeForce RTX 3090, 1 x NVIDIA RTX A6000 (driver 535.309.01)"]
    assert gpu_lines(*loaded) == said


def test_says_nothing_of_gpus_without_a_driver(tmp_path: Path) -> None:
    assert gpu_lines(tmp_path, tmp_path) == []


def interface(name: str, *found: dict[str, object]) -> dict[str, object]:
    return {"ifname": name, "addr_info": list(found)}


def test_names_the_addresses_by_which_others_reach_the_machine() -> None:
    found = addresses(
        [
            interface("lo", {"local": "127.0.0.1", "scope": "host"}),
            interface(
                "eno1",
                {"local": "192.0.2.7", "scope": "global"},
                {"local": "2001:db8::7", "scope": "global"},
                {"local": "2001:db8::bad", "scope": "global", "temporary": True},
                {"local": "fe80::7", "scope": "link"},
            ),
            interface("docker0", {"local": "172.17.0.1", "scope": "global"}),
            interface("wg0", {"local": "10.200.0.1", "scope": "global"}),
        ]
    )
    assert found == ["192.0.2.7 (eno1)", "2001:db8::7 (eno1)", "10.200.0.1 (wg0)"]


def test_a_machine_without_a_cable_says_so() -> None:
    assert reach_lines("gpubox", "ada", [])[1] == "addresses: none yet"


def test_the_user_is_the_one_that_ssh_takes(tmp_path: Path) -> None:
    file = tmp_path / "users.conf"
    file.write_text(allow_users(["ada", "guest"]))
    assert user(file) == "ada"
    assert user(tmp_path / "none") == "USER"


def doctor(tmp_path: Path, script: str) -> str:
    program = tmp_path / "doctor"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


def check(name: str, status: str) -> dict[str, str]:
    return {"id": name, "status": status, "measured": "secret", "why": "", "fix": ""}


def test_the_doctors_verdict_comes_with_the_checks_behind_it_and_nothing_that_was_measured(tmp_path: Path) -> None:
    checks = [check("ssh", "ok"), check("gpu-bus", "failed"), check("clock", "warning"), check("gpu-ecc", "n/a")]
    answer = json.dumps({"verdict": "failed", "checks": checks, "machine": {}})
    said = ask_doctor(doctor(tmp_path, f"echo '{answer}'; exit 2"))
    assert said == ["doctor: failed: gpu-bus, clock (sudo rigforge-doctor says what to do)"]


def test_a_machine_in_good_health_takes_one_line(tmp_path: Path) -> None:
    answer = json.dumps({"verdict": "ok", "checks": [check("ssh", "ok"), check("gpu-ecc", "n/a")], "machine": {}})
    assert ask_doctor(doctor(tmp_path, f"echo '{answer}'")) == ["doctor: ok, 1 checks"]


@pytest.mark.parametrize(
    ("script", "said"),
    [("sleep 5", "no answer within 0 s"), ("echo nonsense", "does not run"), ("echo '{}'", "does not run")],
)
def test_a_doctor_that_does_not_answer_stops_no_report(tmp_path: Path, script: str, said: str) -> None:
    [line] = ask_doctor(doctor(tmp_path, f"exec {script}"), patience=0.4)
    assert said in line


def test_there_need_be_no_doctor(tmp_path: Path) -> None:
    assert ask_doctor(str(tmp_path / "none")) == []


def test_the_report_is_replaced_and_never_written_over(tmp_path: Path) -> None:
    report = tmp_path / "rigforge/report"
    write(report, ["old"])
    with report.open() as reading:
        write(report, ["new"])
        assert reading.read() == "old\n"
    assert report.read_text() == "new\n"
    assert [file.name for file in report.parent.iterdir()] == ["report"]
