"""What the installer does before it touches a disk, and what it shows when it cannot go on."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from rigforge.installer import install
from rigforge.installer.errors import InstallError
from rigforge.installer.install import InstallMedium, log_end, read_medium, show_failure
from rigforge.installer.screen import Screen
from rigforge.installer.section import DocumentError
from tests.installer.documents import document


def test_the_medium_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "rigforge").mkdir()
    content = {"id": "0123abcd", "stack": "smoke", "layers": ["base.squashfs"], "rootfs_bytes": 1000, "kernel": "6.1"}
    (tmp_path / "rigforge/medium.json").write_text(json.dumps(content))
    assert read_medium(tmp_path) == InstallMedium("0123abcd", ("base.squashfs",), 1000)


@pytest.mark.parametrize(
    "text", [None, "", "[]", '{"id": "x", "layers": []}', '{"id": "x", "layers": [], "rootfs_bytes": "x"}']
)
def test_a_medium_that_does_not_is_damaged(text: str | None, tmp_path: Path) -> None:
    (tmp_path / "rigforge").mkdir()
    if text is not None:
        (tmp_path / "rigforge/medium.json").write_text(text)
    with pytest.raises(InstallError, match=r"medium\.json cannot be read"):
        read_medium(tmp_path)


def test_what_will_be_written_is_made_before_a_disk_is_chosen(terminal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = []
    monkeypatch.setattr(install, "read_medium", lambda _: InstallMedium("0123abcd", ("base.squashfs",), 1000))
    monkeypatch.setattr(install, "run", lambda _: None)
    monkeypatch.setattr(install.media, "find", lambda: (document(), "here"))
    monkeypatch.setattr(install, "seed", lambda *_: done.append("seed"))
    monkeypatch.setattr(install, "check_medium", lambda *_: done.append("medium"))
    monkeypatch.setattr(install, "clean_up", lambda: done.append("disk"))
    monkeypatch.setattr(install, "scan", list)
    with pytest.raises(InstallError):
        install.install(Screen([terminal], 9))
    assert done == ["seed", "medium", "disk"]


@pytest.fixture
def terminal(tmp_path: Path) -> Path:
    path = tmp_path / "tty1"
    path.touch()
    return path


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "install.log"
    path.write_text("".join(f"line {number}\n" for number in range(1, 101)))
    monkeypatch.setattr(install, "LOG", path)
    return path


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (InstallError("the disk is too small", "buy another"), ["FAILED: the disk is too small", "buy another"]),
        (DocumentError("the medium's", "version", "is missing"), ["FAILED: the medium's: version: is missing"]),
        (KeyError("x"), ["FAILED: KeyError: 'x'", "this is a mistake in the installer; please report it"]),
    ],
)
def test_a_failure_is_shown_with_its_cure_and_the_end_of_the_log(
    error: Exception, lines: list[str], terminal: Path, log: Path
) -> None:
    show_failure(Screen([terminal], 9), error)
    shown = terminal.read_text().splitlines()
    assert "rigforge: | line 100" in shown and "rigforge: | line 50" not in shown
    assert shown[-len(lines) - 1 : -1] == [f"rigforge: {line}" for line in lines]
    assert str(log) in shown[-1]


def test_the_end_of_the_log_is_what_came_before_the_failure() -> None:
    log = ["+ mkfs", "no space", "rigforge: [4/10] partitioning: failed after 0.1 s", "+ umount /target"]
    assert log_end(log) == ["+ mkfs", "no space"]
    assert log_end(["+ mkfs"]) == ["+ mkfs"]


def medium_of_one_file(root: Path) -> Path:
    (root / "rigforge").mkdir(parents=True)
    (root / "rigforge/medium.json").write_text('{"id": "0", "layers": ["base.squashfs"], "rootfs_bytes": 1}')
    (root / "autoinstall.yaml").write_text(document())
    (root / "SHA256SUMS").write_text(f"{'0' * 64}  rigforge/medium.json\n")
    return root


def test_a_damaged_medium_stops_before_any_disk_is_looked_at(
    tmp_path: Path, terminal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("went on")

    text = document()
    monkeypatch.setattr(install, "MEDIUM", medium_of_one_file(tmp_path / "medium"))
    monkeypatch.setattr(install.media, "find", lambda: (text, "the medium's"))
    monkeypatch.setattr(install, "run", lambda _argv: 0)
    for name in ("scan", "choose", "clean_up"):
        monkeypatch.setattr(install, name, forbidden)
    with pytest.raises(InstallError, match="the medium is damaged"):
        install.install(Screen([terminal], install.STAGES))
    assert "checking the medium" in terminal.read_text()


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    """The template is checked with those who start it when they fail; the doctor is on installed machines alone."""
    for unit in (Path(install.__file__).parent / "units").iterdir():
        (tmp_path / unit.name).write_text(unit.read_text().replace("/usr/bin/rigforge-doctor", "/bin/true"))
    units = sorted(path for path in tmp_path.iterdir() if "@" not in path.name)
    result = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    ours = [line for line in result.stderr.splitlines() if "rigforge" in line]
    assert len(units) >= 4
    assert (result.returncode, ours) == (0, [])
