"""What a container starts, and in which environment."""

from __future__ import annotations

import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.containers.driver_libraries import CRASHES, make_libcuda
from tests.containers.installed import CUDA_12_8, NO_CUDA, install

#: Writes down how it was called.
JUPYTER = """\
#!/bin/sh
printf '%s\\n' "$JUPYTER_TOKEN" "$@"
"""

#: A user without a name, who owns nothing, as with `docker run --user 1234:1234`.
UNKNOWN_USER = ("unshare", "--user", "--map-user=1234", "--map-group=1234")


@dataclass(frozen=True)
class Container:
    entrypoint: Path
    temporary: Path
    libraries: Path
    path: str

    def run(self, *command: str, under: tuple[str, ...] = (), **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": self.path, "TMPDIR": str(self.temporary), "LD_LIBRARY_PATH": str(self.libraries)}
        return subprocess.run(
            [*under, str(self.entrypoint), *command],
            env=environment | variables,
            capture_output=True,
            text=True,
        )

    def jupyter(self, *options: str, **variables: str) -> tuple[str, list[str], str]:
        """Token, arguments, and what was said, of `jupyter` with these options."""
        done = self.run("jupyter", *options, **variables)
        assert done.returncode == 0, done.stderr
        token, *arguments = done.stdout.splitlines()
        return token, arguments, done.stderr


def make(folder: Path, manifest: dict[str, object]) -> Container:
    for name in ("programs", "tmp", "lib"):
        (folder / name).mkdir()
    jupyter = folder / "programs/jupyter"
    jupyter.write_text(JUPYTER)
    jupyter.chmod(0o755)
    path = f"{folder / 'programs'}:{os.environ['PATH']}"
    return Container(install(folder / "root", manifest), folder / "tmp", folder / "lib", path)


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return make(tmp_path, NO_CUDA)


@pytest.fixture
def cuda_container(tmp_path: Path) -> Container:
    return make(tmp_path, CUDA_12_8)


def test_a_command_runs_with_its_arguments_as_they_are(container: Container) -> None:
    done = container.run("printf", "%s\\n", "two  words", "", "*")
    assert (done.stdout, done.stderr, done.returncode) == ("two  words\n\n*\n", "", 0)


def test_the_status_is_that_of_the_command(container: Container) -> None:
    assert container.run("sh", "-c", "exit 37").returncode == 37


def test_the_command_takes_the_place_of_the_entrypoint(container: Container) -> None:
    """Signals reach it, then."""
    process = subprocess.Popen([container.entrypoint, "sh", "-c", "echo $$"], stdout=subprocess.PIPE, text=True)
    assert process.communicate()[0] == f"{process.pid}\n"


def test_it_is_quick(container: Container) -> None:
    def seconds() -> float:
        start = time.perf_counter()
        container.run("true")
        return time.perf_counter() - start

    # The quickest of some: the machine may have other work.
    assert min(seconds() for _ in range(10)) < 0.05


def test_a_home_that_can_be_written_to_stays(container: Container, tmp_path: Path) -> None:
    assert container.run("sh", "-c", "echo $HOME", HOME=str(tmp_path)).stdout == f"{tmp_path}\n"


@pytest.mark.parametrize("home", [None, "", "/nonexistent", "/proc"])
def test_an_unknown_user_gets_a_home(container: Container, home: str | None) -> None:
    variables = {} if home is None else {"HOME": home}
    done = container.run("sh", "-c", "echo $HOME; touch ~/here", under=UNKNOWN_USER, **variables)
    assert (done.stdout, done.stderr) == (f"{container.temporary}/home-1234\n", "")
    assert (container.temporary / "home-1234/here").exists()
    assert (container.temporary / "home-1234").stat().st_mode & 0o777 == 0o700


def test_an_unknown_user_gets_a_name(container: Container) -> None:
    """Without one, getpass.getuser fails, and torch.compile with it."""
    command = ("python3", "-c", "import getpass; print(getpass.getuser())")
    assert container.run(*command, under=UNKNOWN_USER).stdout == "1234\n"


def test_where_nothing_can_be_written_the_command_runs_all_the_same(container: Container) -> None:
    container.temporary.chmod(0o555)
    done = container.run("sh", "-c", "echo $HOME", under=UNKNOWN_USER, HOME="/proc")
    assert (done.stdout, done.stderr, done.returncode) == (f"{container.temporary}\n", "", 0)


def test_jupyter_alone_is_jupyterlab_for_the_network_with_a_token(container: Container) -> None:
    token, arguments, said = container.jupyter()
    assert arguments == ["lab", "--no-browser", "--allow-root", "--port=8888", "--ip=0.0.0.0"]
    assert re.fullmatch("[0-9a-f]{48}", token)
    assert said == f"rigforge: JupyterLab: http://127.0.0.1:8888/lab?token={token}\n"


def test_jupyter_lab_is_the_same(container: Container) -> None:
    _, arguments, _ = container.jupyter("lab", "--port=9999")
    assert arguments == ["lab", "--no-browser", "--allow-root", "--ip=0.0.0.0", "--port=9999"]


def test_an_image_without_jupyterlab_says_so(container: Container, tmp_path: Path) -> None:
    (tmp_path / "programs/jupyter").unlink()
    done = container.run("jupyter", PATH="/usr/bin:/bin")
    assert (done.returncode, done.stderr) == (2, "rigforge: there is no JupyterLab in this image\n")


def test_every_start_has_another_token(container: Container) -> None:
    assert container.jupyter()[0] != container.jupyter()[0]


def test_the_token_is_that_of_the_variable(container: Container) -> None:
    token, _, said = container.jupyter(JUPYTER_TOKEN="secret")
    assert token == "secret"
    assert "/lab?token=secret\n" in said


def test_a_token_from_a_file_is_not_shown(container: Container, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    token, _, said = container.jupyter(JUPYTER_TOKEN_FILE=str(tmp_path / "token"))
    assert token == "secret"
    assert "secret" not in said


@pytest.mark.parametrize(
    ("options", "url"),
    [
        (["--ip", "127.0.0.1", "--port", "9999"], "http://127.0.0.1:9999/lab"),
        (["--ServerApp.ip=10.1.2.3", "--ServerApp.port=9999"], "http://10.1.2.3:9999/lab"),
    ],
)
def test_an_option_of_the_user_replaces_the_default(container: Container, options: list[str], url: str) -> None:
    """Jupyter refuses an option that it is given twice."""
    _, arguments, said = container.jupyter(*options)
    assert arguments == ["lab", "--no-browser", "--allow-root", *options]
    assert f"{url}?token=" in said


def test_other_options_stand_beside_the_defaults(container: Container) -> None:
    _, arguments, _ = container.jupyter("--ServerApp.root_dir", "/my data")
    assert arguments[3:] == ["--port=8888", "--ip=0.0.0.0", "--ServerApp.root_dir", "/my data"]


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        ([], {"JUPYTER_TOKEN": ""}),
        ([], {"JUPYTER_TOKEN_FILE": "/dev/null"}),
        (["--IdentityProvider.token="], {}),
        (["--IdentityProvider.token", ""], {}),
        (["--ServerApp.token=", "--port=1"], {"JUPYTER_TOKEN": "secret"}),
    ],
)
def test_jupyterlab_without_a_token_is_refused(
    container: Container, options: list[str], variables: dict[str, str]
) -> None:
    done = container.run("jupyter", *options, **variables)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("rigforge: ") and done.stderr.count("\n") == 1
    assert "is empty, and JupyterLab without a token is open to everybody" in done.stderr


@pytest.mark.parametrize(
    "words", [["--version"], ["--paths"], ["lab", "list"], ["lab", "--help"], ["kernelspec", "list"]]
)
def test_other_commands_of_jupyter_stay_as_they_are(container: Container, words: list[str]) -> None:
    token, arguments, said = container.jupyter(*words)
    assert (token, arguments, said) == ("", words, "")


def test_an_image_without_cuda_asks_for_no_driver(container: Container) -> None:
    make_libcuda(container.libraries, "libcuda.so.450.248.02", speaks=11000)
    assert container.run("true").stderr == ""


def test_an_image_without_a_manifest_runs(container: Container, tmp_path: Path) -> None:
    (tmp_path / "root/etc/rigforge/manifest.json").unlink()
    assert container.run("echo", "here").stdout == "here\n"


def test_an_image_with_cuda_complains_of_the_driver_and_goes_on(cuda_container: Container) -> None:
    make_libcuda(cuda_container.libraries, "libcuda.so.450.248.02", speaks=11000)
    done = cuda_container.run("echo", "here")
    assert (done.stdout, done.returncode) == ("here\n", 0)
    assert "driver 450.248.02, which speaks CUDA 11.0, is too old" in done.stderr


def test_strict_does_not_start_the_command(cuda_container: Container) -> None:
    make_libcuda(cuda_container.libraries, "libcuda.so.450.248.02", speaks=11000)
    done = cuda_container.run("echo", "here", RIGFORGE_GPU_CHECK="strict")
    assert (done.stdout, done.returncode) == ("", 1)


def test_a_driver_that_crashes_the_check_does_not_stop_the_container(cuda_container: Container) -> None:
    make_libcuda(cuda_container.libraries, "libcuda.so.570.211.01", speaks=12080, init=CRASHES)
    assert cuda_container.run("echo", "here").stdout == "here\n"
    assert cuda_container.run("echo", "here", RIGFORGE_GPU_CHECK="strict").returncode == 1
    assert cuda_container.run("echo", "here", RIGFORGE_GPU_CHECK="off").stderr == ""
