"""What a machine says of itself after a boot."""

from __future__ import annotations

from pathlib import Path

import pytest

from rigforge.target.report import Loading, lines, load_driver, secure_boot

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
    assert said in "\n".join(lines(KERNEL, True, Loading(tried=True, error=error)))


def test_a_rejected_module_comes_with_the_ways_out() -> None:
    report = "\n".join(lines(KERNEL, True, Loading(tried=True, error="Key was rejected by service")))
    assert "mokutil --import" in report
    assert "Secure Boot on" in report


def test_a_machine_without_driver_reports_none() -> None:
    assert lines(KERNEL, False, Loading(tried=False)) == [f"kernel {KERNEL}, Secure Boot off"]


def test_no_module_is_loaded_where_the_kernel_has_none(tmp_path: Path) -> None:
    framebuffer = tmp_path / KERNEL / "kernel/drivers/video/fbdev/nvidia/nvidiafb.ko"
    framebuffer.parent.mkdir(parents=True)
    framebuffer.touch()
    assert load_driver(KERNEL, tmp_path) == Loading(tried=False)


@pytest.mark.parametrize(("content", "on"), [(b"\x06\0\0\0\x01", True), (b"\x06\0\0\0\0", False), (b"", False)])
def test_secure_boot_is_read_from_the_firmwares_variable(tmp_path: Path, content: bytes, on: bool) -> None:
    variable = tmp_path / "SecureBoot"
    variable.write_bytes(content)
    assert secure_boot(variable) is on


def test_no_secure_boot_without_uefi(tmp_path: Path) -> None:
    assert secure_boot(tmp_path / "none") is False
