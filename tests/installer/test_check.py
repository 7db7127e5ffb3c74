"""The check of the medium, before anything is erased and by its own menu entry."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rigforge.installer import command
from rigforge.installer.check import check_medium, main
from rigforge.installer.errors import InstallError
from rigforge.installer.screen import Screen


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    """A medium of three files, with the digests that sha256sum makes of them."""
    for name in ("live/base.squashfs", "live/host.squashfs", "a name with spaces"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name * 1000)
    names = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    sums = subprocess.run(["sha256sum", *names], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    (tmp_path / "SHA256SUMS").write_text(sums)
    return tmp_path


def ignore(_done: int, _total: int) -> None:
    pass


def refusal(medium: Path) -> str:
    with pytest.raises(InstallError) as caught:
        check_medium(medium, ignore)
    assert "nothing on this machine was changed" in caught.value.hint
    return caught.value.message


def test_a_good_medium_passes(medium: Path) -> None:
    assert check_medium(medium, ignore) == 3


def test_a_changed_byte_is_found_and_its_file_named(medium: Path) -> None:
    (medium / "live/host.squashfs").write_text("live/host.squashfs" * 999 + "live/host.squashfS")
    assert refusal(medium).splitlines() == ["the medium is damaged:", "  live/host.squashfs"]


def test_a_truncated_and_a_missing_file_are_both_named(medium: Path) -> None:
    (medium / "live/host.squashfs").write_text("live")
    (medium / "a name with spaces").unlink()
    assert refusal(medium).splitlines()[1:] == ["  a name with spaces", "  live/host.squashfs"]


@pytest.mark.parametrize("sums", ["", "no digest at all\n", "0" * 64 + "\n"])
def test_digests_that_say_nothing_are_no_proof(medium: Path, sums: str) -> None:
    (medium / "SHA256SUMS").write_text(sums)
    assert "the medium is damaged" in refusal(medium)


def test_a_medium_without_digests_is_refused(medium: Path) -> None:
    (medium / "SHA256SUMS").unlink()
    assert "no readable SHA256SUMS" in refusal(medium)


def test_progress_counts_up_to_the_whole(medium: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "INTERVAL", 0.001)
    with (medium / "live/base.squashfs").open("wb") as file:
        file.truncate(200_000_000)
    seen: list[tuple[int, int]] = []
    with pytest.raises(InstallError):
        check_medium(medium, lambda done, total: seen.append((done, total)))
    assert {total for _, total in seen} == {200_000_000 + 36_000}
    assert len({done for done, _ in seen}) > 1
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_the_menu_entry_shows_the_verdict(medium: Path, tmp_path: Path) -> None:
    screen = tmp_path / "tty1"
    screen.touch()
    assert main(medium, Screen([screen], 1)) == 0
    assert "rigforge: the medium is good (3 files)" in screen.read_text()
    (medium / "live/host.squashfs").write_text("")
    assert main(medium, Screen([screen], 1)) == 1
    assert "rigforge: FAILED: the medium is damaged:\nrigforge:   live/host.squashfs" in screen.read_text()
