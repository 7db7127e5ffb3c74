"""A vendored directory: what is in it, what it is good for, and what its check finds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rigforge import namespace
from rigforge.errors import RigforgeError
from rigforge.lock import model
from rigforge.lock.model import Lock
from rigforge.paths import PROJECT
from rigforge.records.file import LockedFile
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.load import load
from rigforge.stack.model import Stack
from rigforge.store import vendor
from rigforge.store.comparison import Problem
from rigforge.store.store import Store
from tests.store.http_mirror import HttpMirror

CONTENT = os.urandom(100_000)
NOWHERE = Mirrors({})

#: Writes the file of a stack (name, text, locked files) with a lock that fits it.
Locked = Callable[..., tuple[Stack, Lock]]


@pytest.fixture
def locked(tmp_path: Path) -> Locked:
    def write(name: str, files: list[LockedFile], text: str = 'extends = "smoke"\n') -> tuple[Stack, Lock]:
        path = tmp_path / "lab" / f"{name}.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        stack = load(path)
        lock = Lock(stack.name, model.asked(stack), 1, {"kernel": "6.1"}, (), model.in_order(files))
        model.write(lock, stack.lock_path)
        return stack, lock

    return write


@pytest.fixture
def files(mirror: HttpMirror) -> list[LockedFile]:
    return [mirror.add("bash", CONTENT), mirror.add("dash", b"dash")]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "vendor"


@pytest.fixture
def lab(locked: Locked, files: list[LockedFile], store: Store, mirror: HttpMirror, directory: Path) -> Lock:
    """The lock of a stack that is vendored."""
    stack, lock = locked("lab", files)
    vendor.write(stack, lock, store, mirror.mirrors, directory)
    return lock


def content(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def sha256sum(directory: Path) -> int:
    return subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=directory).returncode


# What is in it


def test_it_has_the_files_at_their_places_in_a_mirror_and_the_stack_with_its_lock(lab, directory, tmp_path):
    made = content(directory)
    assert made.pop("SHA256SUMS")
    assert made == {
        "debian/pool/bash.deb": CONTENT,
        "debian/pool/dash.deb": b"dash",
        "stacks/lab/lab.toml": (tmp_path / "lab/lab.toml").read_bytes(),
        "stacks/lab/smoke.toml": (PROJECT / "stacks/smoke.toml").read_bytes(),
        "stacks/lab/lab.lock": (tmp_path / "lab/lab.lock").read_bytes(),
    }


def test_another_machine_gets_all_files_from_it_without_a_network(lab, directory, tmp_path):
    elsewhere = Store(tmp_path / "elsewhere")
    elsewhere.fetch(lab.files, Mirrors({}, directory))
    assert not elsewhere.missing(lab.files)


def test_the_stack_in_it_can_be_built(lab, directory):
    stack = load(directory / "stacks/lab/lab.toml")
    model.check(model.read(stack.lock_path), stack, stack.lock_path)
    assert stack.files[1] == directory / "stacks/lab/smoke.toml"


def test_a_stack_that_extends_one_by_path_keeps_that_path(locked, store, directory, tmp_path):
    (tmp_path / "lab/common").mkdir(parents=True)
    (tmp_path / "lab/common/base.toml").write_text('extends = "smoke"\n')
    vendor.write(*locked("lab", [], 'extends = "common/base.toml"\n'), store, NOWHERE, directory)
    stack = load(directory / "stacks/lab/lab.toml")
    folder = directory / "stacks/lab"
    assert stack.files == (folder / "lab.toml", folder / "common/base.toml", folder / "common/smoke.toml")


def test_a_stack_that_extends_a_file_outside_its_folder_is_refused(locked, store, directory, tmp_path):
    (tmp_path / "base.toml").write_text('extends = "smoke"\n')
    stack, lock = locked("lab", [], 'extends = "../base.toml"\n')
    with pytest.raises(RigforgeError, match=r"lab\.toml: extends = \"\.\./base\.toml\""):
        vendor.write(stack, lock, store, NOWHERE, directory)
    assert not directory.exists()


def test_sha256sum_finds_it_in_order(lab, directory):
    assert sha256sum(directory) == 0


def test_damage_in_the_store_is_no_damage_in_it(lab, directory, store):
    path = store.path(lab.files[0].sha256)
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    assert sha256sum(directory) == 0


def test_two_stacks_share_a_directory(lab, locked, files, store, mirror, directory):
    own = mirror.add("zsh", b"zsh")
    vendor.write(*locked("other", [files[0], own]), store, mirror.mirrors, directory)
    names = {line.split()[1] for line in (directory / "SHA256SUMS").read_text().splitlines()}
    assert names == content(directory).keys() - {"SHA256SUMS"}
    assert sha256sum(directory) == 0
    assert vendor.stacks(directory) == [f"{directory}/stacks/{name}/{name}.toml" for name in ("lab", "other")]


def test_files_of_a_former_lock_stay_and_stay_checked(lab, locked, mirror, store, directory):
    vendor.write(*locked("lab", [mirror.add("bash-2", b"new")]), store, mirror.mirrors, directory)
    assert vendor.check_all(directory) == []
    (directory / "debian/pool/bash.deb").unlink()
    assert vendor.check_all(directory) == [Problem("debian/pool/bash.deb", "is missing")]


def test_two_names_of_the_same_content_are_two_files(locked, mirror, store, directory):
    files = [mirror.add(f"package{n}", CONTENT) for n in range(8)]
    vendor.write(*locked("lab", files), store, mirror.mirrors, directory)
    assert len(list(directory.glob("debian/pool/*.deb"))) == 8
    assert vendor.check_all(directory) == []


# Writing it again


def test_what_is_right_is_left_alone_and_needs_neither_store_nor_mirror(lab, locked, files, directory, tmp_path):
    before = {path: path.stat() for path in directory.glob("debian/pool/*")}
    vendor.write(*locked("lab", files), Store(tmp_path / "empty"), NOWHERE, directory, offline=True)
    assert {path: path.stat() for path in directory.glob("debian/pool/*")} == before


def test_what_is_wrong_is_put_right(lab, locked, files, store, directory):
    sound = content(directory)
    (directory / "debian/pool/bash.deb").write_bytes(CONTENT[::-1])
    (directory / "debian/pool/dash.deb").unlink()
    (directory / "stacks/lab/smoke.toml").write_text("damaged")
    (directory / "SHA256SUMS").unlink()
    vendor.write(*locked("lab", files), store, NOWHERE, directory, offline=True)
    assert content(directory) == sound


def test_a_damaged_store_is_named_and_nothing_of_it_is_vendored(locked, files, store, mirror, directory):
    store.fetch(files, mirror.mirrors)
    path = store.path(files[0].sha256)
    path.chmod(0o644)
    path.write_bytes(CONTENT[::-1])
    stack, lock = locked("lab", files)
    with pytest.raises(RigforgeError, match=f"{path} .*bash.* is damaged"):
        vendor.write(stack, lock, store, mirror.mirrors, directory)
    assert content(directory).keys() <= {"debian/pool/dash.deb"}
    path.unlink()
    vendor.write(stack, lock, store, mirror.mirrors, directory)
    assert vendor.check_all(directory) == []


def test_what_a_killed_run_left_is_cleared_away(locked, files, store, mirror, directory):
    (directory / ".partial").mkdir(parents=True)
    (directory / ".partial/bash.deb").write_bytes(CONTENT[:10])
    vendor.write(*locked("lab", files), store, mirror.mirrors, directory)
    assert not (directory / ".partial").exists()


# Its check


def test_the_check_of_a_lock_finds_all_that_is_wrong_with_its_files(lab, directory):
    (directory / "debian/pool/bash.deb").write_bytes(CONTENT[::-1])
    (directory / "debian/pool/dash.deb").unlink()
    assert vendor.check(lab, directory) == [
        Problem("debian/pool/bash.deb", "has other content"),
        Problem("debian/pool/dash.deb", "is missing"),
    ]


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda folder: (folder / "stacks/lab/smoke.toml").write_text("x"), ["stacks/lab/smoke.toml"]),
        (lambda folder: (folder / "stacks/lab/lab.lock").unlink(), ["stacks/lab/lab.lock"]),
        (lambda folder: (folder / "stacks/lab/lab.lock").write_text("x"), ["stacks/lab/lab.lock"]),
        (lambda folder: (folder / "SHA256SUMS").unlink(), ["SHA256SUMS"]),
        (lambda folder: (folder / "SHA256SUMS").write_text("\ufffd\n"), ["SHA256SUMS"]),
        (lambda folder: drop_line(folder, "bash"), ["SHA256SUMS"]),
        (lambda folder: drop_line(folder, "lab.lock"), ["SHA256SUMS"]),
    ],
    ids=[
        "stack altered",
        "lock removed",
        "lock altered",
        "no SHA256SUMS",
        "SHA256SUMS altered",
        "a file's line is gone",
        "the lock's line is gone",
    ],
)
def test_the_check_of_everything_covers_stacks_locks_and_the_list_itself(lab, directory, damage, found):
    assert vendor.check_all(directory) == []
    damage(directory)
    assert [problem.path for problem in vendor.check_all(directory)] == found


def drop_line(directory: Path, name: str) -> None:
    sums = directory / "SHA256SUMS"
    sums.write_text("".join(line for line in sums.read_text().splitlines(True) if name not in line))


def test_a_file_that_list_and_disk_agree_on_but_the_lock_does_not_is_found(lab, directory):
    """As after an alteration by someone who knows of SHA256SUMS."""
    (directory / "debian/pool/bash.deb").write_bytes(CONTENT[::-1])
    sums = subprocess.run(["sha256sum", *content(directory)], cwd=directory, capture_output=True, text=True).stdout
    (directory / "SHA256SUMS").write_text("".join(line for line in sums.splitlines(True) if "SHA256" not in line))
    assert Problem("debian/pool/bash.deb", "has other content") in vendor.check_all(directory)


def test_a_folder_where_nothing_is_vendored_is_an_error(tmp_path):
    with pytest.raises(RigforgeError, match="nothing is vendored"):
        vendor.check_all(tmp_path)


def test_the_error_names_some_of_many_problems_counts_all_and_says_the_cure(tmp_path):
    problems = [Problem(f"debian/pool/{n:02}.deb", "is missing") for n in range(25)]
    error = vendor.VendoredFilesError(tmp_path / "my disk", problems, ["smoke"])
    lines = error.message.splitlines()
    assert lines[0].startswith("25 files are not as vendored in ")
    assert lines[1:] == [f"  debian/pool/{n:02}.deb is missing" for n in range(10)] + ["  and 15 more"]
    assert f"`invoke vendor --stack smoke '{tmp_path}/my disk'`" in error.hint


# The task, in a process of its own


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Returns the command of a run whose state, with its store, is the test's."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state/store").symlink_to(tmp_path / "store")
    monkeypatch.setenv("RIGFORGE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    return lambda *arguments: [sys.executable, "-m", "rigforge.cli", "vendor", *map(str, arguments)]


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True)


def test_the_task_prints_the_folder_and_its_check_ends_with_1_for_damage(task, locked, files, store, mirror, directory):
    stack, lock = locked("lab", files)
    store.fetch(lock.files, mirror.mirrors)
    done = run(*task("--stack", stack.path, "--offline", directory))
    assert (done.returncode, done.stdout) == (0, f"vendor: {directory}\n"), done.stderr
    for arguments in (["--check", directory], ["--check", "--stack", stack.path, directory]):
        assert run(*task(*arguments)).returncode == 0
    (directory / "debian/pool/dash.deb").unlink()
    for arguments in (["--check", directory], ["--check", "--stack", stack.path, directory]):
        done = run(*task(*arguments))
        assert (done.returncode, done.stdout) == (1, "")
        assert "debian/pool/dash.deb is missing" in done.stderr
        assert "invoke vendor --stack" in done.stderr


def test_ctrl_c_leaves_whole_files_only_and_the_next_run_goes_on(task, locked, files, store, mirror, directory):
    store.fetch(files, mirror.mirrors)
    # As large as a disk takes a second for, of zeros that take no room in the store.
    big = LockedFile("base", "deb", "big", "1", "debian:pool/big.deb", 2_000_000_000, "b" * 64)
    store.path(big.sha256).parent.mkdir()
    with store.path(big.sha256).open("wb") as sparse:
        sparse.truncate(big.size)
    stack, _ = locked("lab", [*files, big])
    process = subprocess.Popen(task("--stack", stack.path, directory), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    while not (directory / "debian/pool/bash.deb").exists() or not (directory / ".partial").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130, said
    assert content(directory).keys() <= {"debian/pool/bash.deb", "debian/pool/dash.deb"}
    assert not (directory / ".partial").exists()
    stack, _ = locked("lab", files)
    assert run(*task("--stack", stack.path, directory)).returncode == 0
    assert vendor.check_all(directory) == []


def on_a_disk(options: str, directory: Path, command: list[str]) -> str:
    """Runs a command with a tmpfs on `directory`; returns what it says, and after it the files that are left there."""
    namespace.check()
    directory.mkdir()
    script = f'mount -t tmpfs -o {options} none "$0" && cd / && "$@"; cd "$0" && find . -type f >&2'
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, str(directory)]
    return run(*inside, *command).stderr


def test_a_disk_that_is_too_small_is_named_before_anything_is_fetched(task, locked, files, directory, mirror):
    stack, _ = locked("lab", files)
    said = on_a_disk("size=64k", directory, task("--stack", stack.path, directory))
    assert f"the disk of {directory} is full: 100004 more bytes are needed, 65536 are free" in said
    assert not mirror.requests


def test_a_disk_that_fills_up_on_the_way_leaves_no_broken_file(task, locked, files, store, mirror, directory):
    """It has the bytes but not the inodes, which the look at the free space cannot foresee."""
    store.fetch(files, mirror.mirrors)
    stack, _ = locked("lab", files)
    said = on_a_disk("nr_inodes=8", directory, task("--stack", stack.path, directory))
    assert f"error: the disk of {directory} is full\n" in said
    left = {line for line in said.splitlines() if line.startswith("./")}
    assert left <= {"./debian/pool/bash.deb", "./debian/pool/dash.deb"}


def test_a_link_that_is_there_leads_nothing_out_of_the_directory(locked: Locked, store: Store, tmp_path: Path) -> None:
    stack, lock = locked("lab", [])
    (tmp_path / "vendor").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "vendor/stacks").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RigforgeError, match=r"leads out of .*vendor, to .*elsewhere"):
        vendor.write(stack, lock, store, NOWHERE, tmp_path / "vendor")
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "pool/../../secret"])
def test_a_list_of_checksums_that_names_files_elsewhere_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / vendor.SUMS).write_text(f"{'0' * 64}  {path}\n")
    with pytest.raises(RigforgeError, match="SHA256SUMS: path: must be a path below the directory"):
        vendor.check_all(tmp_path)
