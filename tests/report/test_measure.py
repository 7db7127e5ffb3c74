"""Every byte of a layer belongs to one package, or to nobody."""

from __future__ import annotations

import json
import os
from pathlib import Path

from rigforge.layers.squashfs import content_bytes
from rigforge.report.measure import NOBODY, Owner, measure, owned_by_conda, owned_by_debs, owned_by_wheels, sizes
from tests.report.trees import SITE_PACKAGES, install_deb, install_wheel, put

BLOCK = 4096


def measured(root: Path) -> dict[Owner, int]:
    return sizes(root, owned_by_debs(root) | owned_by_wheels(root, SITE_PACKAGES))


def test_a_deb_has_the_blocks_of_its_files(tmp_path: Path) -> None:
    install_deb(tmp_path, "tool", {"/usr/bin/tool": 5000, "/etc/tool.conf": 1})
    assert measured(tmp_path)["deb", "tool"] >= 3 * BLOCK


def test_a_list_with_an_architecture_is_of_the_package_without(tmp_path: Path) -> None:
    install_deb(tmp_path, "libc6:amd64", {"/usr/lib/libc.so": 10})
    assert ("deb", "libc6") in measured(tmp_path)


def test_what_a_package_has_in_bin_is_found_in_usr(tmp_path: Path) -> None:
    install_deb(tmp_path, "bash", {"/bin/bash": 100_000})
    assert measured(tmp_path)["deb", "bash"] >= 100_000


def test_a_wheel_has_its_programs_outside_of_site_packages_too(tmp_path: Path) -> None:
    install_wheel(tmp_path, "Jupyter_Lab", "4.6.6", {"jupyter_lab/app.py": 10, "../../../bin/jupyter-lab": 50_000})
    assert measured(tmp_path)["wheel", "jupyter-lab"] >= 50_000


def test_bytecode_belongs_to_the_package_of_its_source(tmp_path: Path) -> None:
    install_wheel(tmp_path, "torch", "2.10.0", {"torch/nn.py": 10})
    put(tmp_path, f"{SITE_PACKAGES}/torch/__pycache__/nn.cpython-311.pyc", 900_000)
    assert measured(tmp_path)["wheel", "torch"] >= 900_000


def test_what_no_package_brought_is_counted_as_nobodys(tmp_path: Path) -> None:
    install_deb(tmp_path, "linux-image", {"/boot/vmlinuz": 10})
    put(tmp_path, "boot/initrd.img", 700_000)
    assert 700_000 <= measured(tmp_path)[NOBODY] < 800_000


def test_a_directory_belongs_to_the_package_that_has_all_in_it(tmp_path: Path) -> None:
    install_deb(tmp_path, "one", {"/usr/share/one/a/b": 1, "/usr/share/both/one": 1})
    install_deb(tmp_path, "two", {"/usr/share/both/two": 1})
    sizes_of_directories = os.lstat(tmp_path / "usr/share/one").st_size // BLOCK * BLOCK
    assert measured(tmp_path)["deb", "one"] == 2 * BLOCK + 2 * sizes_of_directories
    assert measured(tmp_path)["deb", "two"] == BLOCK


def test_the_sum_is_what_the_squashfs_says_of_its_content(tmp_path: Path) -> None:
    install_deb(tmp_path, "tool", {"/usr/bin/tool": 5000, "/usr/share/tool/empty": 0})
    install_wheel(tmp_path, "torch", "2.10.0", {"torch/lib.so": 123_456})
    os.link(tmp_path / "usr/bin/tool", tmp_path / "usr/bin/tool-again")
    (tmp_path / "usr/bin/link").symlink_to("tool")
    (tmp_path / "usr/dangling").symlink_to("/nowhere")
    assert sum(measured(tmp_path).values()) == content_bytes(tmp_path)


def test_what_a_layer_changes_of_a_package_below_is_that_packages(tmp_path: Path) -> None:
    lower, upper, output = tmp_path / "lower", tmp_path / "upper", tmp_path / "sizes.json"
    install_deb(lower, "python3", {"/usr/lib/python3/os.py": 10})
    put(upper, "usr/lib/python3/__pycache__/os.cpython-311.pyc", 60_000)
    layers = [["base", str(lower)], ["devel", str(upper)]]
    measure({"layers": layers, "site_packages": f"/{SITE_PACKAGES}", "output": str(output)})
    ((kind, name, size),) = [row for row in json.loads(output.read_text())["devel"] if row[2] >= 60_000]
    assert (kind, name) == ("deb", "python3") and size < 90_000


def test_files_of_conda_packages_have_their_owner_in_every_environment(tmp_path: Path) -> None:
    for place in ("", "envs/rig/"):
        record = tmp_path / f"opt/conda/{place}conda-meta/zlib-1.3-0.json"
        record.parent.mkdir(parents=True)
        record.write_text('{"name": "zlib", "files": ["lib/libz.so"]}')
    assert owned_by_conda(tmp_path) == dict.fromkeys(
        (
            "opt/conda/lib/libz.so",
            "opt/conda/conda-meta/zlib-1.3-0.json",
            "opt/conda/envs/rig/lib/libz.so",
            "opt/conda/envs/rig/conda-meta/zlib-1.3-0.json",
        ),
        ("conda", "zlib"),
    )
