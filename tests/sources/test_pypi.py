"""uv resolves to one wheel a package, whatever the machine's own configuration of uv and pip says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.sources.pypi import Index, Wheel
from tests.sources.serving import NOBODY, served
from tests.sources.wheel_index import WheelIndex


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGFORGE_HOME", str(tmp_path / "home"))


@pytest.fixture
def wheels(tmp_path: Path) -> WheelIndex:
    return WheelIndex(tmp_path / "index")


@pytest.fixture
def index(wheels: WheelIndex) -> Iterator[Index]:
    with served(wheels.path) as url:
        yield Index(f"{url}/simple", "3.11", (2, 36))


def chosen(found: tuple[Wheel, ...]) -> list[str]:
    return [wheel.filename for wheel in found]


def test_every_package_is_there_once_with_the_size_and_sha256_of_its_wheel(wheels: WheelIndex, index: Index) -> None:
    wheels.add("torch", "2.9.0")
    torch = wheels.add("torch", "2.10.0", requires=["numpy"])
    numpy = wheels.add("numpy", "2.4.0")
    assert index.resolve({"torch": "pytorch.version"}) == tuple(
        Wheel(name, version, path.name, path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
        for name, version, path in (("numpy", "2.4.0", numpy), ("torch", "2.10.0", torch))
    )


def test_the_wheel_that_fits_the_target_best_is_taken(wheels: WheelIndex, index: Index) -> None:
    for tag in (
        "py3-none-any",
        "cp310-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "cp311-cp311-manylinux_2_28_x86_64",
        "cp311-cp311-manylinux_2_39_x86_64",
        "cp311-cp311-musllinux_1_2_x86_64",
        "cp312-cp312-manylinux_2_28_x86_64",
        "cp311-cp311-manylinux_2_28_aarch64",
    ):
        wheels.add("fonttools", "4.60", tag=tag)
    assert chosen(index.resolve({"fonttools": ""})) == ["fonttools-4.60-cp311-cp311-manylinux_2_28_x86_64.whl"]


def test_of_several_builds_of_a_wheel_the_last_is_taken(wheels: WheelIndex, index: Index) -> None:
    for build in ("", "3", "10", "9"):
        wheels.add("torch", "2.10.0", build=build)
    assert chosen(index.resolve({"torch": ""})) == ["torch-2.10.0-10-py3-none-any.whl"]


def test_a_version_that_needs_a_newer_c_library_is_passed_over(wheels: WheelIndex, index: Index) -> None:
    wheels.add("numpy", "2.3.0", tag="cp311-cp311-manylinux_2_28_x86_64")
    wheels.add("numpy", "2.4.0", tag="cp311-cp311-manylinux_2_38_x86_64")
    assert chosen(index.resolve({"numpy": ""})) == ["numpy-2.3.0-cp311-cp311-manylinux_2_28_x86_64.whl"]


def test_a_c_library_newer_than_uv_knows_takes_the_wheels_of_older_ones(wheels: WheelIndex, index: Index) -> None:
    wheels.add("numpy", "2.4.0", tag="cp313-cp313-manylinux_2_28_x86_64")
    assert Index(index.url, "3.13", (2, 57)).resolve({"numpy": ""})


def test_preferred_versions_are_kept_while_they_fit(wheels: WheelIndex, index: Index) -> None:
    for version in ("1.0", "2.0", "3.0"):
        wheels.add("numpy", version)
    kept = {"numpy": "2.0", "no-longer-wished-for": "1.0"}
    assert [w.version for w in index.resolve({"numpy": ""}, preferred=kept)] == ["2.0"]
    assert [w.version for w in index.resolve({"numpy>2": ""}, preferred=kept)] == ["3.0"]


def test_constraints_hold_for_what_gets_in_and_bring_nothing_in(wheels: WheelIndex, index: Index) -> None:
    wheels.add("numpy", "1.0")
    wheels.add("numpy", "2.0")
    wheels.add("pandas", "2.0", requires=["numpy"])
    assert [w.version for w in index.resolve({"numpy": ""}, constraints=["numpy<2", "pandas==2.0"])] == ["1.0"]


def test_nothing_wished_for_needs_no_index() -> None:
    assert Index(NOBODY, "3.11", (2, 36)).resolve({}) == ()


def test_configuration_of_uv_and_pip_on_the_machine_changes_nothing(
    wheels: WheelIndex, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels.add("numpy", "1.0")
    wheels.add("numpy", "2.0")
    (tmp_path / "constraints.txt").write_text("numpy<2")
    (tmp_path / "uv.toml").write_text('[pip]\nresolution = "lowest"\n')
    for name, value in {
        "UV_CONSTRAINT": tmp_path / "constraints.txt",
        "UV_CONFIG_FILE": tmp_path / "uv.toml",
        "UV_OFFLINE": "1",
        "UV_INDEX_URL": NOBODY,
        "PIP_INDEX_URL": NOBODY,
        "PIP_FIND_LINKS": tmp_path,
    }.items():
        monkeypatch.setenv(name, str(value))
    assert [w.version for w in index.resolve({"numpy": ""})] == ["2.0"]


def test_an_unknown_package_is_named_with_the_key_that_asks_for_it(wheels: WheelIndex, index: Index) -> None:
    wheels.add("numpy", "2.0")
    with pytest.raises(RigforgeError, match="numpie was not found") as error:
        index.resolve({"numpy": "python.packages", "numpie": "devel.python_packages"})
    assert error.value.hint.endswith("numpie (devel.python_packages)")


def test_a_contradiction_is_told_in_uv_s_words_with_the_keys(wheels: WheelIndex, index: Index) -> None:
    wheels.add("numpy", "1.26.4")
    wheels.add("numpy", "2.0")
    wheels.add("torch", "2.10.0", requires=["numpy>=2"])
    with pytest.raises(RigforgeError, match="torch depend on numpy>=2") as error:
        index.resolve({"torch==2.10.0": "pytorch.version", "numpy<2": "python.packages"})
    assert "torch==2.10.0 (pytorch.version), numpy<2 (python.packages)" in error.value.hint


def test_an_index_that_does_not_answer_is_named_by_role_and_address_without_its_password() -> None:
    with pytest.raises(RigforgeError, match=rf"role pypi, {NOBODY}/simple") as error:
        Index("http://me:secret@127.0.0.1:9/simple", "3.11", (2, 36)).resolve({"numpy": "python.packages"})
    assert "[mirrors]" in error.value.hint
    assert "secret" not in error.value.message + error.value.hint


def test_an_index_of_html_pages_alone_is_asked_for_the_size(wheels: WheelIndex, index: Index) -> None:
    numpy = wheels.add("numpy", "2.0")
    wheels.as_html()
    assert [wheel.size for wheel in index.resolve({"numpy": ""})] == [numpy.stat().st_size]


def test_an_index_that_has_only_weaker_hashes_is_refused(wheels: WheelIndex, index: Index) -> None:
    wheels.add("numpy", "2.0")
    wheels.as_html("md5")
    with pytest.raises(RigforgeError, match=r"no sha256 for numpy-2\.0"):
        index.resolve({"numpy": ""})
