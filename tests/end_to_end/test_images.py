"""The container image of the small stack, built, loaded into a daemon, tested, run in every way (2 minutes)."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from rigforge.doctor.check import Check
from rigforge.doctor.checks import containers
from rigforge.doctor.machine import Machine
from rigforge.doctor.nvml import Nvml
from rigforge.images import blob
from rigforge.images.oci import read_blob, read_index
from rigforge.paths import PROJECT, home
from tests.end_to_end.chain import OUT, rigforge, usable
from tests.end_to_end.engine import registry

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("daemon")]

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGqqPSJzRZIlLw4VGhDFVUO0M6N1tBAwWeKDLkjnGOF3 test"

#: What libcuda of an old driver answers, and that it has a GPU.
OLD_DRIVER = """
int cuDriverGetVersion(int *version) { *version = 11040; return 0; }
int cuInit(unsigned flags) { return 0; }
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> str:
    return usable("smoke", tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def built(stack: str, daemon: None) -> list[str]:
    """The words of the line that build-images prints."""
    printed = rigforge("build-images", "--stack", stack, "--load", "--engine", "docker", "--out", OUT / "images")
    (line,) = printed.splitlines()
    return line.split()


@pytest.fixture(scope="module")
def image(built: list[str]) -> str:
    return built[1]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["docker", "run", "--rm", "--network", "none", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_line_names_image_digest_and_layout(built: list[str]) -> None:
    label, name, digest, layout = built
    assert (label, name) == ("image:", "rigforge/smoke:base")
    assert [entry["digest"] for entry in read_index(Path(layout))] == [digest]


def test_the_image_passes_its_tests(stack: str, built: list[str]) -> None:
    (report,) = json.loads(rigforge("verify-images", "--stack", stack, "--out", OUT / "images", "--json"))
    assert report["failed"] == 0
    assert report["passed"] > 0


def test_the_image_has_the_bytes_of_the_machine(stack: str, built: list[str], tmp_path: Path) -> None:
    """The squashfs on the medium and the layer of the image, file by file."""
    rigforge("build-iso", "--stack", stack, "--set", f"ssh_key={KEY}", "--out", tmp_path)
    medium = tmp_path / "base.squashfs"
    extract = ["-extract", "/live/base.squashfs", medium]
    subprocess.run(["xorriso", "-osirrox", "on", "-indev", *tmp_path.glob("*.iso"), *extract], check=True)
    subprocess.run(["unsquashfs", "-quiet", "-no-progress", "-user-xattrs", "-d", tmp_path / "machine", medium])
    base = json.loads(run(built[1], "cat", "/etc/rigforge/manifest.json").stdout)["layers"]["base"]
    found = [blob.find(file.with_suffix(".tar")) for file in (home() / "blobs").glob("*-zstd.json")]
    # The cache of a machine may have it twice, from two recipes that make the same bytes.
    layer = next(made for made in found if made and made.diff_id == base)
    with (tmp_path / "layer.tar").open("wb") as file:
        file.writelines(layer.chunks())
    with tarfile.open(tmp_path / "layer.tar") as tar:
        image_files = {
            member.name: hashlib.sha256(content.read()).hexdigest()
            for member in tar.getmembers()
            if member.isreg()
            and not member.name.rpartition("/")[2].startswith(".wh.")
            and (content := tar.extractfile(member))
        }
    machine = {name: hashlib.sha256((tmp_path / "machine" / name).read_bytes()).hexdigest() for name in image_files}
    assert machine == image_files


def test_a_second_build_needs_no_network_and_gives_the_same_digest(stack: str, built: list[str]) -> None:
    printed = rigforge("build-images", "--stack", stack, "--offline", "--out", OUT / "again")
    assert printed.split()[2] == built[2]


def test_the_doctor_is_in_it_as_one_layer_of_its_own(built: list[str]) -> None:
    layout = Path(built[3])
    manifest = read_blob(layout, built[2])
    history = [step["created_by"] for step in read_blob(layout, manifest["config"]["digest"])["history"]]
    digest = manifest["layers"][history.index("rigforge-doctor")]["digest"]
    found = [blob.find(file.with_suffix(".tar")) for file in (home() / "blobs").glob("*-zstd.json")]
    layer = next(made for made in found if made and made.digest == digest)
    with tarfile.open(fileobj=io.BytesIO(b"".join(layer.chunks()))) as tar:
        assert [member.name for member in tar.getmembers()] == ["usr/bin", "usr/bin/rigforge-doctor"]


def container_start(root: Path) -> Check:
    """What the doctor says on a machine without a GPU that has this Docker."""
    # Of its own accord it takes nothing of root's environment.
    machine = Machine(Nvml(), root, program_environment={"DOCKER_HOST": os.environ["DOCKER_HOST"]})
    (found,) = (one for one in containers.checks(machine) if one.id == "container-start")
    return found


def test_the_doctor_really_starts_a_container(image: str, tmp_path: Path) -> None:
    assert container_start(tmp_path).status == "ok", container_start(tmp_path)


def test_the_doctor_says_that_a_container_does_not_start(image: str, tmp_path: Path) -> None:
    """Of images that claim to be Rigforge's it takes the newest, and this one is empty."""
    (tmp_path / "empty.tar").write_bytes(bytes(10240))
    command = ["docker", "import", "--change", "LABEL io.rigforge.stack=empty", tmp_path / "empty.tar", "empty:test"]
    subprocess.run(command, check=True, capture_output=True)
    try:
        found = container_start(tmp_path)
    finally:
        subprocess.run(["docker", "rmi", "empty:test"], check=True, capture_output=True)
    assert (found.status, "executable file not found" in found.measured) == ("failed", True), found


def test_an_image_without_cuda_says_nothing_of_a_driver(image: str) -> None:
    assert run(image, "true").stderr == ""


def test_any_user_may_run_it(image: str) -> None:
    done = run("--user", "1234:1234", image, "sh", "-c", "id -u; touch ~/here /workspace/here && echo written")
    assert done.stdout.split() == ["1234", "written"]


def test_it_runs_on_a_read_only_root(image: str) -> None:
    done = run("--read-only", image, "sh", "-c", "touch /here 2>&1 || echo read-only")
    assert "read-only" in done.stdout.splitlines()


def test_a_folder_of_the_host_is_the_workspace(image: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "train.py").write_text("print('trained')")
    assert run("--volume", f"{tmp_path}:/workspace", image, "python3", "train.py").stdout == "trained\n"


def test_an_image_of_cuda_tells_what_is_wrong_with_an_old_driver(image: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "cuda.c").write_text(OLD_DRIVER)
    library = tmp_path / "libcuda.so.470.57.02"
    options = ["-shared", "-fPIC", "-nostdlib", "-Wl,-soname,libcuda.so.1"]
    subprocess.run(["gcc", *options, "-o", library, tmp_path / "cuda.c"], check=True)
    manifest = {"versions": {"cuda": "12.8.90"}, "requires": {"driver": "525.60.13"}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    described = f"{tmp_path}/manifest.json:/etc/rigforge/manifest.json:ro"
    folder = "/usr/lib/x86_64-linux-gnu"
    links = [word for name in ("libcuda.so.1", library.name) for word in ("--volume", f"{library}:{folder}/{name}:ro")]
    done = run("--volume", described, *links, image, "echo", "going on")
    assert done.stdout == "going on\n"
    assert "too old" in done.stderr
    assert "11.4" in done.stderr
    assert "525.60.13" in done.stderr
    strict = run("--env", "RIGFORGE_GPU_CHECK=strict", "--volume", described, *links, image, "echo", "going on")
    assert (strict.returncode, strict.stdout) == (1, "")
    without = run("--volume", described, image, "echo", "going on")
    assert without.stdout == "going on\n"
    assert without.stderr.count("\n") == 1


def test_invoke_run_runs_it(image: str, tmp_path: Path) -> None:
    (tmp_path / "here").touch()
    command = [sys.executable, "-m", "rigforge.cli", "run", "--stack", "smoke", "--image", "base", "--engine", "docker"]
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}
    printed = subprocess.run(
        [*command, "--print", "--", "ls", "a b"], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert printed.stdout.startswith("docker run --rm ")
    assert printed.stdout.endswith("rigforge/smoke:base ls 'a b'\n")
    done = subprocess.run([*command, "--", "ls"], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.stdout == "here\n"


def test_a_registry_gets_it_with_the_same_digest(stack: str, built: list[str]) -> None:
    with registry() as address:
        rigforge("build-images", "--stack", stack, "--push", f"{address}/gpu", "--out", OUT / "images")
        inspect = ["skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", f"docker://{address}/gpu:base"]
        assert subprocess.run(inspect, capture_output=True, text=True).stdout.strip() == built[2]


def test_without_a_daemon_the_images_are_made_all_the_same(stack: str, built: list[str], tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none")
        printed = rigforge("build-images", "--stack", stack, "--out", OUT / "images")
    assert printed.split() == built


def test_an_interrupted_load_leaves_the_daemon_as_it_was(stack: str, image: str) -> None:
    subprocess.run(["docker", "image", "rm", "--force", image], check=True, capture_output=True)
    command = [sys.executable, "-m", "rigforge.cli", "build-images", "--stack", stack, "--load", "--engine", "docker"]
    loading = subprocess.Popen(
        [*command, "--out", str(OUT / "images")], cwd=OUT, stderr=subprocess.PIPE, text=True, stdout=subprocess.DEVNULL
    )
    assert loading.stderr
    next(line for line in loading.stderr if line.startswith("… loading"))
    loading.send_signal(signal.SIGINT)
    assert loading.wait(60) == 130
    assert (
        image
        not in subprocess.run(
            ["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"], capture_output=True, text=True
        ).stdout
    )
    rigforge("build-images", "--stack", stack, "--load", "--engine", "docker", "--out", OUT / "images")
    assert run(image, "true").returncode == 0
