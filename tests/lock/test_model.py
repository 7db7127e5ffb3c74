"""A lock's text: the same bytes for the same content, and no edit goes unnoticed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.lock import model
from rigforge.lock.model import Lock, asked, check, in_order, read, to_text, write
from rigforge.records.archive import LockedArchive
from rigforge.records.file import LockedFile
from rigforge.stack.load import load
from tests.stack.stack_files import SMALLEST

BASH = LockedFile("base", "deb", "bash", "5.2.15-2+b8", "debian:pool/main/b/bash/bash_5.2.15-2+b8_amd64.deb", 1494176, "b" * 64)  # fmt: skip # noqa: E501
TORCH = LockedFile("python", "wheel", "torch", "2.10.0", "pypi:torch-2.10.0-3-cp311-cp311-manylinux_2_28_x86_64.whl", 915518691, "a" * 64)  # fmt: skip # noqa: E501
CMAKE = LockedFile("devel", "deb", "cmake", "3.25.1-1", "debian:pool/main/c/cmake/cmake_3.25.1-1_amd64.deb", 8691644, "c" * 64)  # fmt: skip # noqa: E501
NVCC = LockedFile("devel", "wheel", "nvidia-cuda-nvcc-cu12", "12.8.93", "pypi:nvidia_cuda_nvcc_cu12-12.8.93-py3-none-manylinux2010_x86_64.whl", 40546229, "d" * 64)  # fmt: skip # noqa: E501

LOCK = Lock(
    stack="small",
    stack_sha256="e" * 64,
    source_date_epoch=1795313345,
    versions={"kernel": "6.1.0-56-amd64", "pytorch": "2.10.0"},
    archives=(
        LockedArchive("debian", "bookworm", "Sat, 11 Jul 2026 10:16:37 UTC", "f" * 64),
        LockedArchive("debian", "bookworm-updates", "Sun, 22 Nov 2026 02:09:05 UTC", "0" * 64),
    ),
    files=(BASH, TORCH, CMAKE, NVCC),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "small.lock"
    write(LOCK, file)
    return file


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_what_was_written_is_read(path: Path) -> None:
    assert read(path) == LOCK


def test_a_lock_of_nothing_can_be_written_and_read(path: Path) -> None:
    empty = replace(LOCK, versions={}, archives=(), files=())
    write(empty, path)
    assert read(path) == empty


def test_a_part_is_the_files_of_one_layer() -> None:
    assert LOCK.part("devel") == (CMAKE, NVCC)
    assert LOCK.part("host") == ()


def test_files_are_in_the_order_of_the_layers_and_then_by_name() -> None:
    zlib = replace(BASH, name="zlib1g")
    assert in_order([NVCC, zlib, CMAKE, TORCH, BASH]) == (BASH, zlib, TORCH, CMAKE, NVCC)


def test_the_same_content_gives_the_same_bytes_in_whatever_order_it_was_found() -> None:
    shuffled = replace(
        LOCK,
        files=LOCK.files[::-1],
        archives=LOCK.archives[::-1],
        versions=dict(reversed(LOCK.versions.items())),
    )
    assert to_text(shuffled) == to_text(LOCK)


def test_every_file_has_a_line_of_its_own() -> None:
    lines = [line for line in to_text(LOCK).splitlines() if "pool/" in line or ".whl" in line]
    assert [line.split()[0].strip('"') for line in lines] == [file.name for file in LOCK.files]


def test_the_header_says_what_made_the_lock_and_how_to_renew_it() -> None:
    header = [line for line in to_text(LOCK).splitlines() if line.startswith("#")]
    assert "Made by `invoke lock --stack small`" in header[0]
    assert "`invoke lock --stack small --upgrade` renews it" in header[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (" 1494176 ", " 1494177 "),
        ("b" * 64, "b" * 63 + "0"),
        ("bash 5.2.15-2+b8", "bash 5.2.15-2+b9"),
        ("[files.devel]", "[files.host]"),
        ("[files.devel]", "[files.develop]"),
        ("wheel = [", "deb = ["),
        ('kernel = "6.1.0-56-amd64"', 'kernel = "6.1.0-57-amd64"'),
        ("e" * 64, "0" * 64),
        ("1795313345", "1795313346"),
        ("checksum = ", "# checksum = "),
        (" 915518691 ", " "),
    ],
)
def test_an_edit_by_hand_is_found_and_the_way_out_named(path: Path, old: str, new: str) -> None:
    edit(path, old, new)
    with pytest.raises(RigforgeError, match=r"small\.lock: the lock was edited by hand") as error:
        read(path)
    assert "invoke lock --stack small" in error.value.hint


def test_a_removed_line_is_found(path: Path) -> None:
    text = path.read_text()
    path.write_text("".join(line for line in text.splitlines(keepends=True) if "torch-2.10.0" not in line))
    with pytest.raises(RigforgeError, match="edited by hand"):
        read(path)


def test_line_ends_of_another_system_and_comments_are_no_edit(path: Path) -> None:
    path.write_bytes(b"# a remark\r\n" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert read(path) == LOCK


@pytest.mark.parametrize("text", ["<<<<<<< HEAD\n", 'stack = "small\n', ""])
def test_what_is_no_lock_at_all_is_told_with_the_way_out(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(RigforgeError, match=r"small\.lock: ") as error:
        read(path)
    assert "invoke lock --stack small" in error.value.hint


def test_a_lock_that_is_not_there_is_told_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(RigforgeError, match="there is no lock yet") as error:
        read(tmp_path / "small.lock")
    assert "invoke lock --stack small" in error.value.hint


def test_a_lock_is_written_whole_or_not_at_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write(replace(LOCK, files=()), path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_lock_of_the_stack_as_it_is_passes_and_one_of_a_changed_stack_does_not(tmp_path: Path) -> None:
    toml = tmp_path / "small.toml"
    toml.write_text(SMALLEST)
    stack = load(toml)
    lock = replace(LOCK, stack_sha256=asked(stack))
    check(lock, stack, stack.lock_path)

    toml.write_text(SMALLEST + '[packages]\nhost = ["sudo"]\n')
    with pytest.raises(RigforgeError, match=r"small\.lock: stale lock: stack small has changed") as error:
        check(lock, load(toml), stack.lock_path)
    assert error.value.hint == "renew it: invoke lock --stack small"


def test_a_lock_copied_from_another_stack_does_not_pass(tmp_path: Path) -> None:
    toml = tmp_path / "large.toml"
    toml.write_text(SMALLEST)
    stack = load(toml)
    with pytest.raises(RigforgeError, match="made for stack small"):
        check(replace(LOCK, stack_sha256=asked(stack)), stack, stack.lock_path)


@pytest.mark.parametrize(
    ("key", "honest", "hostile"),
    [
        ("file", BASH.file, "debian:../../outside.deb"),
        ("file", BASH.file, "debian:pool/../../outside.deb"),
        ("file", BASH.file, "debian:/etc/cron.d/x.deb"),
        ("file", BASH.file, "..:pool/x.deb"),
        ("file", BASH.file, "stacks:small/small.deb"),
        ("file", BASH.file, "debian:pool/-oDir.deb"),
        ("file", BASH.file, "debian:pool/x\\u001b[2J.deb"),
        ("file", BASH.file, "debian:pool/x\\u00a0.deb"),
        ("file", TORCH.file, "pypi:../torch-2.10.0-py3-none-any.whl"),
        ("sha256", BASH.sha256, "/etc/passwd"),
        ("sha256", BASH.sha256, "B" * 64),
        ("sha256", BASH.sha256, "b" * 63),
        ("sha256", BASH.sha256, "\u0661" * 64),
        ("name", "bash 5", "../bash 5"),
        ("version", "5.2.15-2+b8", "5/../../x"),
        ("size", "1494176", "-1494176"),
        ("versions.kernel", '"6.1.0-56-amd64"', '"../../etc"'),
        ("archives: suite", '"bookworm"', '"../bookworm"'),
        ("archives: date", '"Sat, 11 Jul 2026 10:16:37 UTC"', '"yesterday"'),
    ],
)
def test_a_value_that_could_lead_elsewhere_is_refused_though_the_checksum_is_right(
    path: Path, monkeypatch: pytest.MonkeyPatch, key: str, honest: str, hostile: str
) -> None:
    edit(path, honest, hostile)
    monkeypatch.setattr(model, "_sha256", lambda text: to_text(LOCK).split('checksum = "')[1][:64])
    with pytest.raises(RigforgeError, match=r"small\.lock: the lock was edited by hand, damaged or forged") as error:
        read(path)
    assert f"{key}: " in error.value.message
    assert error.value.message.isprintable()
    assert "invoke lock --stack small" in error.value.hint
