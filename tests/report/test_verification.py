"""What verify-iso and verify-images leave, read again."""

from __future__ import annotations

import json
from pathlib import Path

from rigforge.report.verification import Unfinished, Verification, find
from rigforge.verify.files import Files
from rigforge.verify.report import ImageReport
from tests.reports import a_report


def a_machine(out: Path, failures: tuple[str, ...] = ()) -> None:
    files = Files(out / "verify" / "smoke-uefi")
    files.out.mkdir(parents=True)
    files.report.write_text(a_report(files.out, failures).to_json())
    files.expectations.write_text(json.dumps({"medium_id": "c0ffee"}))


def test_nothing_was_verified(tmp_path: Path) -> None:
    assert find("smoke", tmp_path) == ()


def test_a_machine_has_its_times_and_its_medium(tmp_path: Path) -> None:
    a_machine(tmp_path, ("test_ssh::test_refuses_root: assert",))
    (found,) = find("smoke", tmp_path)
    assert isinstance(found, Verification)
    assert (found.subject, found.boot, found.tests, found.of) == ("machine, uefi (kvm)", 312.5, 20.0, "c0ffee")
    assert (found.passed, found.failures) == (30, ("test_ssh::test_refuses_root: assert",))


def test_an_image_has_what_was_put_into_it(tmp_path: Path) -> None:
    out = tmp_path / "images" / "smoke-base-tests"
    out.mkdir(parents=True)
    report = ImageReport("smoke", "base", "no driver", 3.0, 7, 0, (), 1, out / "tests.log")
    (out / "report.json").write_text(report.to_json())
    (found,) = find("smoke", tmp_path)
    assert isinstance(found, Verification)
    assert (found.subject, found.boot, found.of, found.skipped) == ("image base (no driver)", None, "", 1)


def test_a_run_without_a_report_is_unfinished(tmp_path: Path) -> None:
    (tmp_path / "verify" / "smoke-bios").mkdir(parents=True)
    assert find("smoke", tmp_path) == (Unfinished("machine, bios", tmp_path / "verify" / "smoke-bios"),)


def test_the_next_run_removes_the_report_of_the_last(tmp_path: Path) -> None:
    a_machine(tmp_path)
    Files(tmp_path / "verify" / "smoke-uefi").prepare()
    assert isinstance(find("smoke", tmp_path)[0], Unfinished)
