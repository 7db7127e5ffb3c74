"""Which GPUs the code in a library is for, read from the library as cuobjdump reads it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rigforge.compat import probe
from tests.compat.fatbin import fat, library

#: Heads of parts of libtorch_cuda.so as nvcc wrote them: PyTorch 2.10.0 from PyPI (CUDA 12.8), and 2.14.1 (CUDA 13.0).
REAL = {
    "sm_70": "02000101400000006835000000000000643500000000000007000100460000000000000000000000"
    "1120000000000000000000000000000080e8010000000000",
    "sm_75": "020001014000000050220000000000004f22000000000000080001004b0000000000000000000000"
    "1180000000000000000000000000000080ec010000000000",
    "sm_120": "0200010160000000d831030000000000d73103004000000008000100780000000000000000000000"
    "1120000100000000000000000000000068730f0000000000",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "libtorch_cuda.so"


@pytest.mark.parametrize("target", REAL)
def test_the_head_of_a_real_part_says_what_it_is_for(file: Path, target: str) -> None:
    head = bytes.fromhex(REAL[target])
    header, code = int.from_bytes(head[4:8], "little"), int.from_bytes(head[8:16], "little")
    binary = fat()[:8] + (header + code).to_bytes(8, "little") + head.ljust(header + code, b"\0")
    file.write_bytes(library([binary, binary]))
    assert probe.in_binary(str(file)) == [target]


@pytest.mark.parametrize(
    ("binaries", "code"),
    [
        ([fat("sm_80", "sm_90")] * 3, ["sm_80", "sm_90"]),
        ([fat("sm_90", "compute_90")] * 3, ["compute_90", "sm_90"]),
        ([fat("sm_90a", "sm_100f")], ["sm_90a", "sm_100f"]),
        # Few kernels are made for one GPU alone: PyTorch's matrix products with FP8, its attention.
        ([fat("sm_80")] * 9 + [fat("sm_80", "sm_89", "sm_90a")], ["sm_80"]),
        ([], []),
    ],
    ids=["several", "with PTX", "of one GPU or family", "few kernels more", "none"],
)
def test_what_most_of_the_code_is_for(file: Path, binaries: list[bytes], code: list[str]) -> None:
    file.write_bytes(library(binaries))
    assert probe.in_binary(str(file)) == code


def test_code_that_is_linked_again_is_in_a_section_of_its_own(file: Path) -> None:
    file.write_bytes(library([fat("sm_75")], section="__nv_relfatbin"))
    assert probe.in_binary(str(file)) == ["sm_75"]


def test_pytorchs_own_list_of_its_architectures(tmp_path: Path) -> None:
    file = tmp_path / "libtorch_python.so"
    file.write_bytes(b"ELF sm_1 \0sm_99\0 rubbish \0sm_70 sm_80 sm_90a compute_90\0 sm_120 ")
    assert probe.in_list(str(file)) == ["sm_70", "sm_80", "sm_90a", "compute_90"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x7fELF\x02\x01",
        b"\x7fELF\x02\x01".ljust(64, b"\xff"),
        os.urandom(4096),
        library([b"rubbish" * 1000]),
        library([fat("sm_80")])[:100],
        library([fat("sm_80").replace(b"\x40\0\0\0", b"\0\0\0\0", 1)]),
        library([b"\x50\xed\x55\xba" + b"\xff" * 4000]),
        library([fat("sm_80")[:8] + b"\xff" * 8]),
    ],
    ids=["empty", "cut off", "of 65535 sections", "random", "no code", "cut off in it", "no length", "huge", "endless"],
)
def test_rubbish_says_nothing_and_takes_no_time(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    start = time.monotonic()
    assert probe.code(str(file.parent)) == ([], "")
    assert time.monotonic() - start < 1


def test_a_pipe_in_the_librarys_place_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    os.mkfifo(tmp_path / "lib/libtorch_cuda.so")
    assert probe.code(str(tmp_path)) == ([], "")


def test_a_gigabyte_is_read_at_its_heads(file: Path) -> None:
    """What lies between the heads of 500 parts of two megabytes is never read: it is a hole in the file."""
    first = library([fat("sm_80")])
    start = first.index(fat("sm_80"))
    big, count = 2 << 20, 500
    with file.open("wb") as made:
        made.write(first[:start])
        for _ in range(count):
            made.write(fat("sm_80", "sm_90")[:8] + (72 * 2 + big).to_bytes(8, "little") + fat("sm_80", "sm_90")[16:])
            made.seek(big, os.SEEK_CUR)
        made.truncate()
    began = time.monotonic()
    number = os.open(file, os.O_RDONLY)
    found = list(probe.parts(number, start, file.stat().st_size))
    os.close(number)
    assert len(found) == count
    assert time.monotonic() - began < 2


def test_it_runs_in_a_python_without_pytorch_and_without_rigforge(tmp_path: Path) -> None:
    program = Path(probe.__file__).read_text()
    command = [sys.executable, "-S", "-c", f"exec({program!r})"]
    told = json.loads(subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout)
    assert (told["packages"], told["version"], told["cuda"]) == ({}, "", "")
