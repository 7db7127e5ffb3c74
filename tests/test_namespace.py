"""Who may make namespaces, and what the others are told."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rigforge import namespace
from rigforge.errors import RigforgeError
from rigforge.paths import PROJECT
from rigforge.process import run

CHECK = """\
from rigforge import namespace
from rigforge.errors import RigforgeError
try:
    namespace.check()
    print("root")
except RigforgeError as error:
    print(error.message, error.hint)
"""

#: As root of a container is.
NO_MOUNTS = ("setpriv", "--bounding-set", "-sys_admin")


def check(tmp_path: Path, *before: str, ids: str = "", setting: str = "true") -> str:
    """What the check says to root of a new namespace; `setting` is done there first, `ids` is its /etc/subuid."""
    subordinate = tmp_path / "ids"
    subordinate.write_text(ids)
    mounts = [f"mount --bind {shlex.quote(str(subordinate))} /etc/{name}" for name in ("subuid", "subgid")]
    command = shlex.join([*before, sys.executable, "-c", CHECK])
    script = " && ".join([*mounts, setting, f"exec {command}"])
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
    return subprocess.run(inside, capture_output=True, text=True, check=True, timeout=30).stdout.strip()


def test_root_that_may_mount_needs_no_subordinate_ids(tmp_path: Path) -> None:
    assert check(tmp_path) == "root"


def test_root_that_may_not_mount_is_a_user_like_others(tmp_path: Path) -> None:
    assert "/etc/subuid gives user root no subordinate ids" in check(tmp_path, *NO_MOUNTS)


def test_a_machine_that_refuses_namespaces_is_told_the_setting(tmp_path: Path) -> None:
    setting = "echo 0 > /proc/sys/user/max_user_namespaces"
    said = check(tmp_path, *NO_MOUNTS, ids="root:100000:65536\n", setting=setting)
    assert "does not let user root make user namespaces: unshare: unshare failed" in said
    assert said.endswith("sudo sysctl user.max_user_namespaces=15000")


def fill_a_disk(request: Mapping[str, Any]) -> None:
    run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", request["place"]])
    Path(request["place"], "file").write_bytes(b"x" * 1_000_000)


def do_nothing(request: Mapping[str, Any]) -> None:
    print("done")


def test_a_full_disk_is_told_with_its_cure(tmp_path: Path) -> None:
    with pytest.raises(RigforgeError, match=f"the disk of {tmp_path} or of .* is full") as caught:
        namespace.call(f"{__name__}:fill_a_disk", {"place": str(tmp_path)}, log=tmp_path / "log")
    assert "RIGFORGE_HOME" in caught.value.hint


def test_modules_of_the_current_folder_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("open('executed', 'w')\n")
    monkeypatch.chdir(tmp_path)
    namespace.call(f"{__name__}:do_nothing", {}, log=tmp_path / "log")
    assert (tmp_path / "log").read_text() == "done\n"
    assert not (tmp_path / "executed").exists()


def test_a_namespace_waits_for_no_library_of_networks_and_terminals() -> None:
    """Each layer and each squashfs starts its own Python, which would import them for nothing: most of a second."""
    slow = "{'pydantic', 'requests', 'rich', 'urllib3'}"
    program = f"import sys, rigforge.layers.in_namespace; print({slow} & set(sys.modules))"
    assert run([sys.executable, "-P", "-c", program], env={"PYTHONPATH": str(PROJECT)}).stdout == "set()\n"
