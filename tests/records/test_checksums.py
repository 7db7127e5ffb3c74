"""The list of sha256 that sha256sum(1) reads and writes."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from rigforge.records.checksums import parse, to_text


def test_sha256sum_reads_the_list_and_writes_the_same(tmp_path: Path) -> None:
    content = b"0123456789" * 5
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool/bash.deb").write_bytes(content)
    text = to_text({"pool/bash.deb": hashlib.sha256(content).hexdigest()})
    (tmp_path / "sums").write_text(text)
    assert subprocess.run(["sha256sum", "--check", "sums"], cwd=tmp_path, capture_output=True).returncode == 0
    written = subprocess.run(["sha256sum", "pool/bash.deb"], cwd=tmp_path, capture_output=True, text=True).stdout
    assert written == text


def test_the_list_is_read_as_it_was_written() -> None:
    sums = {"pool/a b.deb": "a" * 64, "pypi/x~1+2.whl": "b" * 64}
    assert parse(to_text(sums)) == sums


def test_lines_of_another_form_are_left_out_of_the_list() -> None:
    assert parse(f"rubbish\n{'a' * 63}  short\n{'a' * 64} *binary\n") == {"binary": "a" * 64}
