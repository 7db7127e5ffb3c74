"""Somebody's Python runs as its owner and sees that user's packages, and no folder or variable of root's caller."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rigforge.compat.interpreter import NOBODY, ask, for_programs, whose

#: A Python that everybody can reach, as the system's is.
SYSTEM = "/usr/bin/python3"

SEEN = "import json, os, sys; print(json.dumps([os.geteuid(), os.getcwd(), sys.path, sorted(os.environ)]))"
IMPORTED = "import importlib; print(getattr(importlib.import_module('{}'), '__file__', ''))"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has others' Pythons to run")
with_system = pytest.mark.skipif(not Path(SYSTEM).exists(), reason="there is no Python of the system")


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder into which others can look, unlike pytest's own."""
    place = Path(f"/var/tmp/rigforge-test-{os.getpid()}")
    place.mkdir(mode=0o755)
    yield place
    shutil.rmtree(place)


def environment(place: Path, owner: int) -> Path:
    """Makes an environment of the system's Python, whose .pth file writes down who runs it."""
    subprocess.run([SYSTEM, "-m", "venv", "--without-pip", place], check=True)
    (site,) = place.glob("lib/python3*/site-packages")
    ran = place / "ran"
    (site / "evil.pth").write_text(f"import os; open({str(ran)!r}, 'a').write(f'{{os.geteuid()}} ')\n")
    for file in (place, *place.rglob("*")):
        os.chown(file, owner, owner, follow_symlinks=False)
    return place / "bin/python3"


@as_root
@with_system
@pytest.mark.parametrize("user", [4242, NOBODY])
def test_an_environment_of_somebody_runs_as_that_user(open_place: Path, user: int) -> None:
    python = environment(open_place / "venv", user)
    assert json.loads(ask(str(python), SEEN, environment=for_programs()) or "")[0] == user
    assert set((open_place / "venv/ran").read_text().split()) == {str(user)}


@as_root
@with_system
@pytest.mark.parametrize(("caller", "runs_as"), [("4242", 4242), ("0", NOBODY), ("٤", NOBODY), ("", NOBODY)])
def test_the_python_of_the_system_runs_as_the_caller_of_sudo(
    monkeypatch: pytest.MonkeyPatch, caller: str, runs_as: int
) -> None:
    monkeypatch.setenv("SUDO_UID", caller)
    assert json.loads(ask(SYSTEM, SEEN, environment=for_programs()) or "")[0] == runs_as


@as_root
def test_a_python_in_a_folder_of_roots_alone_is_read_by_nobody(tmp_path: Path) -> None:
    assert whose(tmp_path / "python3") == whose(Path("/nowhere/python3"))  # there is none
    (tmp_path / "python3").symlink_to(sys.executable)
    tmp_path.chmod(0o700)
    assert whose(tmp_path / "python3") is None
    assert json.loads(ask(str(tmp_path / "python3"), SEEN, environment=for_programs()) or "")[0] == NOBODY
    with pytest.raises(AssertionError):
        assert ask(str(tmp_path / "python3"), f"open({str(tmp_path / 'w')!r}, 'w')", environment={}) is not None


@as_root
@with_system
def test_the_packages_of_the_owners_home_are_seen(open_place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = pwd.struct_passwd(("ada", "x", 4242, 4242, "", str(open_place), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: found)
    monkeypatch.setattr(os, "getgrouplist", lambda name, group: [group, 0])
    python = environment(open_place / "venv", 4242)
    version = json.loads(ask(SYSTEM, "import sys; print(list(sys.version_info[:2]))", environment={}) or "")
    module = open_place / f".local/lib/python{version[0]}.{version[1]}/site-packages/torch.py"
    module.parent.mkdir(parents=True)
    module.write_text("")
    monkeypatch.setenv("SUDO_UID", "4242")
    assert (ask(SYSTEM, IMPORTED.format("torch"), environment={}) or "").strip() == str(module)
    assert whose(python).groups == (4242,)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["json", "os", "torch"])
def test_nothing_of_the_current_folder_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Without -P, `python3 -c` imports what lies in the folder that its caller stands in."""
    (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    program = f"import contextlib\nwith contextlib.suppress(ImportError): import {name}\nprint('done')"
    assert (ask(sys.executable, program, environment=for_programs()) or "").strip() == "done"
    assert not (tmp_path / "ran").exists()


def test_no_variable_of_the_caller_names_other_code(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME", "LD_PRELOAD", "LD_LIBRARY_PATH", "GIT_DIR", "PAGER"):
        monkeypatch.setenv(name, "/planted")
    monkeypatch.setenv("PATH", "/planted")
    assert "/planted" not in for_programs().values()


@pytest.mark.parametrize(
    "program",
    [
        "raise SystemExit(3)",
        "import no_such_module",
        "while True: pass",
        "while True: print('x' * 1000)",
        "import os; os.close(1)\nwhile True: pass",
        "import os, time; print('before'); os.fork() or os.setsid(); time.sleep(6)",
    ],
    ids=["fails", "breaks", "hangs", "never stops talking", "falls silent and hangs", "leaves a child that hangs"],
)
def test_what_gives_no_answer_is_none(program: str) -> None:
    start = time.monotonic()
    assert ask(sys.executable, program, environment=for_programs(), seconds=1) is None
    assert time.monotonic() - start < 4
