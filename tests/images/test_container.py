"""The program that every image has, as a layer of its own."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from rigforge.images.container import pack_doctor
from rigforge.layers.build import Cache
from rigforge.layers.plan import Layer

DOCTOR = Layer("doctor", None, (), 1_700_000_000, shipped=False)


def test_its_layer_holds_the_program_and_nothing_of_what_packed_it(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    (cache.rootfs(DOCTOR) / "opt/doctor").mkdir(parents=True)
    (cache.rootfs(DOCTOR) / "rigforge-doctor").write_bytes(b"program")
    packed = pack_doctor(DOCTOR, cache, "zstd")
    with tarfile.open(fileobj=io.BytesIO(b"".join(packed.chunks()))) as tar:
        assert [(member.name, member.mode) for member in tar] == [
            ("usr/bin", 0o755),
            ("usr/bin/rigforge-doctor", 0o755),
        ]
        assert {member.mtime for member in tar.getmembers()} == {1_700_000_000}
        program = tar.extractfile("usr/bin/rigforge-doctor")
        assert program and program.read() == b"program"
    assert pack_doctor(DOCTOR, cache, "zstd") == packed
