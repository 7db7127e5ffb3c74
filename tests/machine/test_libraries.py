"""Which libcuda a program gets, on the trees that distributions, installers and containers make."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rigforge.machine.libraries import CUDA, MANAGEMENT, files, find, inside

X86 = "usr/lib/x86_64-linux-gnu"
GKE = "usr/local/nvidia/lib64"

#: Files by path; "-> TARGET" is a link, "== PATH" another name of the same file, as a mount of single files shows it.
Tree = dict[str, str]

DEBIAN = {
    f"{X86}/nvidia/current/libcuda.so.535.309.01": "",
    f"{X86}/nvidia/current/libcuda.so.1": "-> libcuda.so.535.309.01",
    f"{X86}/nvidia/current/libnvidia-ml.so.535.309.01": "",
    f"{X86}/nvidia/current/libnvidia-ml.so.1": "-> libnvidia-ml.so.535.309.01",
    "etc/alternatives/nvidia--libcuda.so.1-x86_64-linux-gnu": f"-> /{X86}/nvidia/current/libcuda.so.1",
    "etc/alternatives/nvidia--libnvidia-ml.so.1-x86_64-linux-gnu": f"-> /{X86}/nvidia/current/libnvidia-ml.so.1",
    f"{X86}/libcuda.so.1": "-> /etc/alternatives/nvidia--libcuda.so.1-x86_64-linux-gnu",
    f"{X86}/libnvidia-ml.so.1": "-> /etc/alternatives/nvidia--libnvidia-ml.so.1-x86_64-linux-gnu",
}

FOUND: dict[str, tuple[Tree, str, str]] = {
    "Debian, the links of libcuda1": (DEBIAN, f"/{X86}", "535.309.01"),
    "Debian, a legacy driver chosen": (
        {
            f"{X86}/nvidia/legacy-470xx/libcuda.so.470.256.02": "",
            f"{X86}/nvidia/current/libcuda.so.535.309.01": "",
            "etc/alternatives/cuda": f"-> /{X86}/nvidia/legacy-470xx/libcuda.so.470.256.02",
            f"{X86}/libcuda.so.1": "-> /etc/alternatives/cuda",
        },
        f"/{X86}",
        "470.256.02",
    ),
    "Ubuntu, and NVIDIA's packages": (
        {f"{X86}/libcuda.so.580.95.05": "", f"{X86}/libcuda.so.1": "-> libcuda.so.580.95.05"},
        f"/{X86}",
        "580.95.05",
    ),
    "the installer, where /lib64 is a link": (
        {
            "lib64": "-> usr/lib64",
            "usr/lib64/libcuda.so.550.120": "",
            "usr/lib64/libcuda.so.1": "-> libcuda.so.550.120",
        },
        "/usr/lib64",
        "550.120",
    ),
    "a folder of ld.so.conf before the others": (
        {
            "etc/ld.so.conf": "# where\ninclude ld.so.conf.d/*.conf\n",
            "etc/ld.so.conf.d/a.conf": "/opt/driver/lib\n",
            "opt/driver/lib/libcuda.so.1": "-> libcuda.so.590.48.01",
            "opt/driver/lib/libcuda.so.590.48.01": "",
            **DEBIAN,
        },
        "/opt/driver/lib",
        "590.48.01",
    ),
    "a container, mounted file by file": (
        {f"{X86}/libcuda.so.580.95.05": "", f"{X86}/libcuda.so.1": f"== {X86}/libcuda.so.580.95.05"},
        f"/{X86}",
        "580.95.05",
    ),
    "a container of Kubernetes on Google's nodes": (
        {f"{GKE}/libcuda.so.535.129.03": "", f"{GKE}/libcuda.so.1": "-> libcuda.so.535.129.03"},
        f"/{GKE}",
        "535.129.03",
    ),
    "a container of Apptainer, with --nv": (
        {
            ".singularity.d/libs/libcuda.so.1": "",
            ".singularity.d/libs/libcuda.so.570.86.15": "== .singularity.d/libs/libcuda.so.1",
        },
        "/.singularity.d/libs",
        "570.86.15",
    ),
    "NixOS, in its store": (
        {
            "nix/store/x-nvidia/lib/libcuda.so.580.95.05": "",
            "run/opengl-driver/lib/libcuda.so.1": "-> /nix/store/x-nvidia/lib/libcuda.so.580.95.05",
        },
        "/run/opengl-driver/lib",
        "580.95.05",
    ),
    "WSL, where the name says nothing": ({"usr/lib/wsl/lib/libcuda.so.1": "stub"}, "/usr/lib/wsl/lib", ""),
    "a copy, which says what it would load": (
        {"usr/lib64/libcuda.so.1": "\x7fELF\0libnvidia-ptxjitcompiler.so.535.309.01\0"},
        "/usr/lib64",
        "535.309.01",
    ),
    "a link to nothing before a good one": (
        {"etc/ld.so.conf": "/opt/old\n", "opt/old/libcuda.so.1": "-> libcuda.so.470.1", **DEBIAN},
        f"/{X86}",
        "535.309.01",
    ),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def plant(root: Path, tree: Tree) -> None:
    for path, what in tree.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if what.startswith("-> "):
            (root / path).symlink_to(what.removeprefix("-> "))
        elif what.startswith("== "):
            os.link(root / what.removeprefix("== "), root / path)
        else:
            (root / path).write_text(what)


@pytest.mark.parametrize("tree", FOUND)
def test_the_library_that_programs_get(root: Path, tree: str) -> None:
    content, folder, version = FOUND[tree]
    plant(root, content)
    library = find(root)
    assert library
    assert (library.folder, library.version) == (folder, version)
    assert library.file.resolve().is_relative_to(root.resolve())


def test_the_management_library_is_found_in_the_same_way(root: Path) -> None:
    plant(root, DEBIAN)
    library = find(root, MANAGEMENT)
    assert library
    assert library.version == "535.309.01"


def test_the_folders_of_the_library_path_come_first(root: Path) -> None:
    conda = "opt/conda/lib"
    plant(root, {**DEBIAN, f"{conda}/libcuda.so.1": "-> libcuda.so.590.48.01", f"{conda}/libcuda.so.590.48.01": ""})
    library = find(root, before=[f"/{conda}"])
    assert library
    assert library.version == "590.48.01"


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {f"{X86}/nvidia/current/libcuda.so.535.309.01": ""},  # update-alternatives was not run
        {f"{X86}/libcuda.so.580.95.05": ""},  # ldconfig was not run
        {f"{X86}/libcuda.so.1": "-> libcuda.so.1"},
        {f"{X86}/libcuda.so.1/file": ""},
        {"etc/ld.so.conf": "include /etc/ld.so.conf\n\0/x\n/y\0z\ninclude ../*/**\n"},
    ],
)
def test_what_no_program_gets(root: Path, tree: Tree) -> None:
    plant(root, tree)
    assert find(root, CUDA) is None


def test_files_are_listed_whether_or_not_links_lead_to_them(root: Path) -> None:
    plant(root, {**DEBIAN, f"{X86}/nvidia/tesla-470/libcuda.so.470.256.02": "", f"{X86}/libcuda.so.1.1": ""})
    assert [file.name for file in files(root)] == ["libcuda.so.535.309.01", "libcuda.so.470.256.02"]


@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        ("/etc/passwd", "etc/passwd"),
        ("../../../../etc/passwd", "etc/passwd"),
        ("/a/../b", "b"),
        ("there", "usr/there"),
    ],
)
def test_links_stay_inside_the_root(root: Path, target: str, leads_to: str) -> None:
    plant(root, {"usr/link": f"-> {target}"})
    assert inside(root, "/usr/link") == root / leads_to
