"""Who may make namespaces, and what the others are told."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

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
