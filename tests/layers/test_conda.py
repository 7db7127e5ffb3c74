"""Conda packages of both kinds in a root, linked as on the target (runs in a namespace, as building does)."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rattler import PrefixRecord

from rigforge import namespace
from rigforge.errors import RigforgeError
from rigforge.layers import conda
from rigforge.layers.environment import Environment
from rigforge.layers.root import Root, interfaces, settle
from rigforge.process import run
from tests.sources.conda_channel import PLACEHOLDER_LENGTH, TOKEN, CondaChannel

EPOCH = 1_700_000_000
PREFIX = "/opt/conda/envs/rig"
OPTIONS = Environment(PREFIX, f"{PREFIX}/lib/python3.12/site-packages", "/opt/cuda", "12.8")
MINOR = "lib/python3.12/site-packages"
CUDA = ["conda-forge:linux-64/cuda-cudart-12.8.90-0.conda"]
OTHERS = [
    "conda-forge:linux-64/python-3.12.11-0.conda",
    "conda-forge:noarch/tool-1.0-0.conda",
    "conda-forge:linux-64/config-2.0-0.tar.bz2",
]
BASE = {
    "/opt/conda": ["conda-forge:linux-64/python-3.12.11-0.conda", "conda-forge:linux-64/conda-26.7.1-0.conda"],
}

CONDARC = "channels:\n  - conda-forge\ndefault_activation_env: rig\n"

#: As conda's own conda.sh does: a function, and PATH where no shell above has been here.
FUNCTION = f"""\
conda() {{ echo "function $*"; }}
if [ -z "${{CONDA_SHLVL+x}}" ]; then export CONDA_SHLVL=0 PATH="{TOKEN}/condabin:$PATH"; fi
"""
PYTHON_RECIPE = ["rigforge.layers.recipes.python"]

SCRIPT = '#!/bin/sh\nset -e\necho "$PREFIX" > "$PREFIX/linked"\n'


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> CondaChannel:
    made = CondaChannel(tmp_path_factory.mktemp("channel"))
    made.add_python("3.12.11")
    made.add(
        "cuda-cudart", "12.8.90", files={"lib/libcudart.so.12": "ELF", "targets/x86_64-linux/include/cuda.h": "//"}
    )
    made.add(
        "tool",
        "1.0",
        noarch="python",
        depends=["python >=3.8"],
        files={
            "site-packages/tool/__init__.py": "def main():\n    print('it works')\n",
            "site-packages/tool/tests/test_tool.py": "",
        },
        entry_points=["tool = tool:main"],
    )
    made.add(
        "config",
        "2.0",
        files={
            "etc/config": f"prefix={TOKEN}/share\n",
            "lib/libconfig.so": TOKEN.encode() + b"/lib\0tail\0",
            "bin/.config-post-link.sh": SCRIPT,
        },
        suffix=".tar.bz2",
    )
    made.add(
        "conda",
        "26.7.1",
        files={"etc/profile.d/conda.sh": FUNCTION, "bin/conda": "#!/bin/sh\necho program\n"},
    )
    made.add("angry", "1.0", files={"bin/.angry-post-link.sh": "#!/bin/sh\nexit 3\n"})
    return made


def link_into_a_root(request: Mapping[str, Any]) -> None:
    """Inside: makes a root with the machine's own programs, and installs the steps of the request one after another."""
    path = Path(request["root"])
    for name in ("etc", "usr", "dev", "run", "tmp", "proc"):
        (path / name).mkdir()
    for name in ("bin", "sbin", "lib", "lib64"):
        (path / name).symlink_to(f"usr/{name}")
    run(["mount", "-o", "bind,ro", "/usr", path / "usr"])
    run(["mount", "-t", "tmpfs", "programs", path / "usr/local/bin"])
    for step, recipe in zip(request["steps"], request["recipes"], strict=True):
        root = Root(path, Path(request["files"]), {}, EPOCH)
        with interfaces(path, root.files):
            if recipe:
                importlib.import_module(recipe).build(root, replace(OPTIONS, conda=step))
            else:
                conda.install(root, step)
            if request["run"]:
                (path / "said").write_text(root.chroot(request["run"]))
    run(["umount", "--recursive", path / "usr"])
    settle(path, [], EPOCH)
    run(["chmod", "-R", "a+rX", path])


class Installed:
    """Installs into new roots below a directory."""

    def __init__(self, channel: CondaChannel, place: Path) -> None:
        self.place, self.files = place, place / "files"
        self.files.mkdir(parents=True)
        for package in channel.path.glob("*/*"):
            shutil.copy(package, self.files)

    def __call__(
        self,
        *steps: Mapping[str, list[str]],
        recipes: Sequence[str] = (),
        say: tuple[str, ...] = (),
        name: str = "root",
    ) -> Path:
        root = self.place / name
        root.mkdir()
        request = {
            "root": str(root),
            "files": str(self.files),
            "steps": steps,
            "run": say,
            "recipes": recipes or [""] * len(steps),
        }
        namespace.call(f"{__name__}:link_into_a_root", request, log=self.place / f"{name}.log")
        return root


@pytest.fixture
def installed(channel: CondaChannel, tmp_path: Path) -> Iterator[Installed]:
    made = Installed(channel, tmp_path / "place")
    yield made
    namespace.remove_tree(made.place)


def content(root: Path) -> dict[str, tuple[Any, ...]]:
    """Everything of a tree that a layer keeps: kind, mode, time, links, and the bytes' sha256."""
    found = {}
    for path in sorted((root / "opt").rglob("*")):
        status = path.lstat()
        data = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        key = str(path.relative_to(root))
        found[key] = (stat.filemode(status.st_mode), int(status.st_mtime), hashlib.sha256(data).hexdigest())
        if path.is_file() and not path.is_symlink():
            found[key] += (status.st_nlink,)
    return found


def test_prefixes_are_those_of_the_target_in_text_and_in_binaries(installed: Installed) -> None:
    here = installed({PREFIX: OTHERS}) / PREFIX[1:]
    assert (here / "etc/config").read_text() == f"prefix={PREFIX}/share\n"
    binary = (here / "lib/libconfig.so").read_bytes()
    assert binary.startswith(f"{PREFIX}/lib\0".encode())
    assert len(binary) == PLACEHOLDER_LENGTH + len("/lib\0tail\0")


def test_entry_points_run_and_modules_are_where_this_python_looks(installed: Installed) -> None:
    root = installed({PREFIX: OTHERS}, say=(f"{PREFIX}/bin/python3.12", f"{PREFIX}/{MINOR}/tool/__init__.py"))
    assert (root / PREFIX[1:] / "bin/tool").read_text().startswith(f"#!{PREFIX}/bin/python3.12\n")
    assert (root / PREFIX[1:] / MINOR / "tool/__init__.py").is_file()


def test_scripts_of_packages_run_in_the_root(installed: Installed) -> None:
    assert (installed({PREFIX: OTHERS}) / PREFIX[1:] / "linked").read_text() == f"{PREFIX}\n"


def test_a_script_that_fails_is_told_with_its_package(installed: Installed) -> None:
    with pytest.raises(RigforgeError, match="post-link script failed of angry"):
        installed({PREFIX: ["conda-forge:linux-64/angry-1.0-0.conda"]})


def test_the_layer_above_adds_to_the_environment_and_changes_nothing_of_it(installed: Installed) -> None:
    below = content(installed({PREFIX: CUDA}, name="below"))
    both = content(installed({PREFIX: CUDA}, {PREFIX: OTHERS}, name="both"))
    files = {path: known for path, known in below.items() if known[0].startswith("-")}
    assert files.items() <= both.items()
    assert f"{PREFIX[1:]}/conda-meta/tool-1.0-0.json" in both


def test_two_installations_have_the_same_bytes(installed: Installed) -> None:
    steps = ({PREFIX: CUDA}, {PREFIX: OTHERS, **BASE})
    first, second = (content(installed(*steps, name=name)) for name in ("first", "second-elsewhere"))
    assert first == second
    assert all(known[3] == 1 for known in first.values() if len(known) > 3), "no file is linked to another"


def test_what_conda_is_told_names_the_channel_and_nothing_of_the_build(installed: Installed) -> None:
    root = installed({PREFIX: OTHERS, **BASE})
    for record in sorted(root.glob("opt/conda/**/conda-meta/*.json")):
        text = record.read_text()
        assert "file:" not in text
        assert "/run/files" not in text
        assert str(root) not in text
        assert record.stat().st_mode & 0o444 == 0o444
        known = PrefixRecord.from_path(record)
        assert known.url.endswith(f"/conda-forge/{known.subdir}/{known.file_name}")
        assert known.channel.rstrip("/").endswith("/conda-forge")
    assert (root / PREFIX[1:] / "conda-meta/history").is_file()
    assert not list(root.glob("opt/.*"))


def test_the_base_environment_is_protected_and_says_for_what(installed: Installed) -> None:
    root = installed({PREFIX: OTHERS, **BASE}, recipes=PYTHON_RECIPE)
    message = json.loads((root / "opt/conda/conda-meta/frozen").read_text())["message"]
    assert "conda activate rig" in message
    assert not (root / PREFIX[1:] / "conda-meta/frozen").exists()
    assert (root / "opt/conda/.condarc").read_text() == CONDARC


def test_cuda_is_there_once_and_its_tree_links_to_the_environment(installed: Installed) -> None:
    root = installed({PREFIX: CUDA}, recipes=["rigforge.layers.recipes.cuda"])
    tree = [path for path in (root / "opt/cuda-12.8").rglob("*") if path.is_symlink()]
    links = {str(path.relative_to(root)): str(path.readlink()) for path in tree}
    assert links == {
        "opt/cuda-12.8/include/cuda.h": f"{PREFIX}/targets/x86_64-linux/include/cuda.h",
        "opt/cuda-12.8/lib": "lib64",
        "opt/cuda-12.8/lib64/libcudart.so.12": f"{PREFIX}/lib/libcudart.so.12",
    }


def test_a_login_shell_has_the_environment_active(installed: Installed) -> None:
    shell = ("sh", "-c", ". /etc/profile.d/rigforge.sh; echo $CONDA_DEFAULT_ENV; command -v tool")
    root = installed({PREFIX: OTHERS, **BASE}, recipes=PYTHON_RECIPE, say=shell)
    assert (root / "said").read_text().splitlines()[:2] == ["rig", f"{PREFIX}/bin/tool"]


def test_path_names_no_place_twice_in_a_shell_within_a_shell(installed: Installed) -> None:
    """`conda deactivate` takes the environment's programs out of one place."""
    login = ". /etc/profile.d/rigforge.sh"
    shell = ("sh", "-c", f". /etc/environment; export PATH; {login}; {login}; echo $PATH")
    root = installed({PREFIX: OTHERS, **BASE}, recipes=PYTHON_RECIPE, say=shell)
    path = (root / "said").read_text().strip().split(":")
    assert path[:2] == [f"{PREFIX}/bin", "/opt/conda/condabin"]
    assert path[-1] == "/opt/cuda/bin"
    assert len(path) == len(set(path))


def test_without_a_login_shell_the_environment_is_active_too(installed: Installed) -> None:
    """As `ssh machine conda install …` gets it from PAM: it would change conda's own environment otherwise."""
    root = installed({PREFIX: OTHERS, **BASE}, recipes=PYTHON_RECIPE)
    variables = dict(line.split("=", 1) for line in (root / "etc/environment").read_text().splitlines())
    assert variables.pop("PATH").startswith(f'"{PREFIX}/bin:/opt/conda/condabin:')
    assert variables == {"CONDA_PREFIX": f'"{PREFIX}"', "CONDA_DEFAULT_ENV": '"rig"', "CONDA_SHLVL": '"1"'}


def test_conda_is_a_function_in_every_interactive_shell(installed: Installed) -> None:
    shell = ("bash", "-ic", "conda activate other")
    root = installed({PREFIX: OTHERS, **BASE}, recipes=PYTHON_RECIPE, say=shell)
    assert (root / "said").read_text() == "function activate other\n"


def test_sudo_and_cron_find_conda(installed: Installed) -> None:
    """In the PATH that sudo has by default, secure_path."""
    root = installed({PREFIX: OTHERS, **BASE}, recipes=PYTHON_RECIPE, say=("/usr/local/bin/conda",))
    assert (root / "said").read_text() == "program\n"


def test_bytecode_is_not_checked_against_times_and_tests_have_none(installed: Installed) -> None:
    packages = installed({PREFIX: OTHERS}) / PREFIX[1:] / MINOR
    (bytecode,) = packages.rglob("*.pyc")
    assert bytecode.name.startswith("__init__.")
    # PEP 552: bit 0 says hash-based, bit 1 that it is checked.
    assert int.from_bytes(bytecode.read_bytes()[4:8], "little") == 1
