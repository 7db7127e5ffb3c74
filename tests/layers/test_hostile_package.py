"""A package whose script attacks the machine that builds: it reaches nothing, and the build goes on as if it had not.

Runs in a namespace as building does, in a root with the machine's own programs.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from rigforge import namespace
from rigforge.layers import dpkg
from rigforge.layers.root import Root, clean, interfaces, settle
from rigforge.process import run

EPOCH = 1_700_000_000
SECRET = "what nobody but the builder knows"

#: Each attempt says what it got; one that is refused raises. LINGER is how the process that stays is known.
POSTINST = """\
#!/usr/bin/python3
import ctypes, json, os, pathlib, socket, stat, subprocess, sys, time
asked = json.load(open("/tmp/asked.json"))

def another_root():
    os.makedirs("/tmp/x", exist_ok=True)
    top = os.open("/", os.O_RDONLY)
    os.chroot("/tmp/x")
    os.fchdir(top)
    for _ in range(64):
        os.chdir("..")
    os.chroot(".")

def in_a_child(work):
    read, write = os.pipe()
    if os.fork() == 0:
        try:
            os.write(write, str(work()).encode())
        finally:
            os._exit(0)
    os.close(write)
    said = open(read).read()
    if not said:
        raise OSError("refused")
    return said

def read_after_another_root():
    another_root()
    return open(asked["secret"]).read()

def write_after_another_root():
    another_root()
    return open(asked["victim"] + "/new", "w").write("x")

def through_processes():
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            return pathlib.Path(f"{process}/root{asked['secret']}").read_text()
        except OSError:
            pass
    raise OSError("refused")

def variables():
    found = [file.read_bytes() for file in pathlib.Path("/proc").glob("[0-9]*/environ")]
    return any(asked["variable"].encode() in text for text in found) or 1 / 0

def libc(name, *arguments):
    if getattr(ctypes.CDLL(None), name)(*arguments) != 0:
        raise OSError("refused")
    return "done"

def disk():
    os.mknod("/tmp/disk", stat.S_IFBLK | 0o600, os.makedev(*asked["disk"]))
    return open("/tmp/disk", "rb").read(1)

def set_core_pattern():
    # To what it is, so that the machine is none the worse where this succeeds.
    pattern = open("/proc/sys/kernel/core_pattern").read()
    return open("/proc/sys/kernel/core_pattern", "w").write(pattern)

def connect(family, address):
    with socket.socket(family) as one:
        one.settimeout(2)
        one.connect(address)
    return "connected"

attempts = {
    "read by its path": lambda: open(asked["secret"]).read(),
    "read from another root": lambda: in_a_child(read_after_another_root),
    "read through a process": through_processes,
    "read the builder's variables": variables,
    "write by its path": lambda: open(asked["victim"] + "/new", "w"),
    "write from another root": lambda: in_a_child(write_after_another_root),
    "write the locked files": lambda: open(next(pathlib.Path("/run/files").glob("*.deb")), "r+b").write(b"x"),
    "set what the kernel runs": set_core_pattern,
    "mount": lambda: libc("mount", b"proc", b"/mnt", b"proc", 0, None),
    "mount /proc writable": lambda: libc("mount", None, b"/proc", None, 32 | 4096, None),
    "open a disk": disk,
    "enter a namespace": lambda: libc("setns", os.open("/proc/1/ns/mnt", os.O_RDONLY), 0),
    "reach the machine's network": lambda: connect(socket.AF_INET, ("127.0.0.1", asked["port"])),
    "reach the machine's sockets": lambda: connect(socket.AF_UNIX, "\\0" + asked["socket"]),
    "reach the world": lambda: connect(socket.AF_INET, ("192.0.2.1", 80)),
    "type into the terminal": lambda: open("/dev/tty"),
}
got = {}
for name, attempt in attempts.items():
    try:
        got[name] = str(attempt())
    except (OSError, ZeroDivisionError):
        pass
print("GOT", json.dumps(got), flush=True)
subprocess.Popen(
    ["/usr/bin/python3", "-c", "import time; time.sleep(600)", asked["linger"]],
    start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
)
if os.path.exists(asked["secret"]):
    sys.exit("not confined: the links would be the machine's own")
for link, target in asked["links"].items():
    subprocess.run(["rm", "-rf", link], check=True)
    os.makedirs(os.path.dirname(link), exist_ok=True)
    os.symlink(target, link)
os.mkfifo("/etc/waits")
"""


def attacked(request: Mapping[str, Any]) -> None:
    """Inside: makes a root, installs the package, and does what recipes do after that."""
    path, files = Path(request["root"]), Path(request["files"])
    of_dpkg = [f"var/lib/dpkg/{name}" for name in ("info", "updates", "triggers")]
    apt = ["var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/log/apt"]
    for name in ("dev", "run", "tmp", "proc", "mnt", "usr", "etc/alternatives", "var/tmp", "var/log", *of_dpkg, *apt):
        (path / name).mkdir(parents=True, exist_ok=True)
    (path / "var/lib/dpkg/status").touch()
    for name in ("bin", "sbin", "lib", "lib64"):
        (path / name).symlink_to(f"usr/{name}")
    run(["mount", "-o", "bind,ro", "/usr", path / "usr"])
    run(["mount", "-t", "tmpfs", "tmpfs", path / "usr/sbin"])
    shutil.copytree("/usr/sbin", path / "usr/sbin", dirs_exist_ok=True, symlinks=True)
    root = Root(path, files, {}, EPOCH)
    with interfaces(path, files):
        root.write("tmp/asked.json", json.dumps(request["asked"]))
        dpkg.install(root)
        # What is still there, of this namespace's processes.
        print("LEFT", json.dumps(processes(request["asked"]["linger"])), flush=True)
        root.write("etc/written", "by the recipe\n")
        root.write("etc/waits", "by the recipe\n")
        root.write("etc/policy/file", "by the recipe\n")
        root.remove("etc/removed")
        print("READ", json.dumps([root.exists("etc/read"), len(root.glob("etc/folder/*"))]), flush=True)
        where = path / request["asked"]["victim"].lstrip("/") / "file"
        print("WROTE", json.dumps(where.read_text() if where.exists() else ""), flush=True)
    run(["umount", "--recursive", path / "usr"])
    clean(path)
    settle(path, [], EPOCH)


def processes(mark: str) -> list[str]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        words = file.read_bytes().decode(errors="replace").split("\0")
        found += [mark] if mark in words else []
    return found


class Attack:
    """What the package got (`said`), and the files of the machine that it was after."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.place, self.root, self.victim = place, place / "root", place / "victim"
        self.root.mkdir()
        (self.victim / "work").mkdir(parents=True)
        (self.victim / "work/result").write_text("months")
        self.file = place / "file"
        self.file.write_text("mine")
        secret = place / "secret"
        secret.write_text(SECRET)
        self.package = self._package(place / "files")
        self.before = self.package.read_bytes()
        monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}:{Path(__file__).parents[2]}")
        monkeypatch.setenv("RIGFORGE_KEEP", "PYTHONPATH")
        monkeypatch.setenv("http_proxy", f"http://ada:{SECRET.replace(' ', '-')}@proxy")
        with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
            local.bind(f"\0rigforge-test-{os.getpid()}")
            local.listen()
            asked = {
                "secret": str(secret),
                "variable": SECRET.replace(" ", "-"),
                "victim": str(self.victim),
                "disk": self._disk(),
                "port": server.getsockname()[1],
                "socket": f"rigforge-test-{os.getpid()}",
                "linger": f"lingers-{os.getpid()}",
                "links": {
                    "/var/tmp": str(self.victim),
                    "/var/log": f"../..{self.victim}",
                    "/etc/written": str(self.file),
                    "/etc/machine-id": str(self.file),
                    "/etc/policy": str(self.victim),
                    "/etc/read": str(secret),
                    "/etc/folder": str(self.victim / "work"),
                    "/etc/removed": str(self.file),
                    "/usr/sbin/policy-rc.d": str(self.file),
                },
            }
            request = {"root": str(self.root), "files": str(place / "files"), "asked": asked}
            namespace.call("test_hostile_package:attacked", request, log=place / "log")
        self.linger = asked["linger"]
        log = (place / "log").read_text()
        lines = [line.partition(" ") for line in log.splitlines()]
        self.said = {word: json.loads(text) for word, _, text in lines if word in ("GOT", "LEFT", "READ", "WROTE")}

    def _package(self, files: Path) -> Path:
        source = files.with_name("source")
        (source / "DEBIAN").mkdir(parents=True)
        control = "Package: hostile\nVersion: 1\nArchitecture: all\nMaintainer: N <n@example.org>\nDescription: x\n"
        (source / "DEBIAN/control").write_text(control)
        (source / "DEBIAN/postinst").write_text(POSTINST)
        (source / "DEBIAN/postinst").chmod(0o755)
        files.mkdir()
        package = files / "hostile_1_all.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", source, package], check=True, capture_output=True)
        return package

    def _disk(self) -> list[int]:
        device = self.place.stat().st_dev
        return [os.major(device), os.minor(device)]


@pytest.fixture(scope="module")
def attack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attack]:
    place = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        try:
            yield Attack(place, patch)
        finally:
            namespace.remove_tree(place / "root")


def test_nothing_that_its_script_tries_succeeds(attack: Attack) -> None:
    assert attack.said["GOT"] == {}


def test_no_process_of_it_outlives_the_installation(attack: Attack) -> None:
    assert attack.said["LEFT"] == []
    assert processes(attack.linger) == []


def test_its_links_lead_recipes_to_nothing_of_the_machine(attack: Attack) -> None:
    assert (attack.victim / "work/result").read_text() == "months"
    assert sorted(path.name for path in attack.victim.iterdir()) == ["work"]
    assert attack.file.read_text() == "mine"
    assert attack.said["READ"] == [False, 0]


def test_a_recipe_writes_where_the_links_lead_within_the_root(attack: Attack) -> None:
    assert attack.said["WROTE"] == "by the recipe\n"
    assert (attack.root / "etc/waits").read_text() == "by the recipe\n"


def test_the_locked_files_are_as_before(attack: Attack) -> None:
    assert attack.package.read_bytes() == attack.before
