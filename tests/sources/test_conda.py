"""rattler solves for the target: what this machine is, has or configures decides nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.sources.conda import Channel, CondaPackage, closure
from rigforge.sources.host_config import conda_channel
from tests.sources.conda_channel import CondaChannel
from tests.sources.serving import NOBODY, served

TARGET = {"__cuda": ("12.2", "0"), "__glibc": ("2.36", "0"), "__archspec": ("1", "x86_64")}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGFORGE_HOME", str(tmp_path / "home"))


@pytest.fixture
def packages(tmp_path: Path) -> CondaChannel:
    return CondaChannel(tmp_path / "channel")


@pytest.fixture
def channel(packages: CondaChannel) -> Iterator[Channel]:
    with served(packages.path) as url:
        yield Channel("conda-forge", url, TARGET)


def paths(found: tuple[CondaPackage, ...]) -> list[str]:
    return [package.path for package in found]


def test_every_package_has_its_place_size_and_sha256(packages: CondaChannel, channel: Channel) -> None:
    python = packages.add_python("3.12.11")
    tool = packages.add("tool", "1.0", noarch="python", depends=["python >=3.8"], suffix=".tar.bz2")
    packages.publish()
    found = channel.resolve({"tool": "python.conda_packages"})
    assert found == tuple(
        CondaPackage(
            name,
            version,
            "0",
            path,
            file.stat().st_size,
            hashlib.sha256(file.read_bytes()).hexdigest(),
            needs,
        )
        for name, version, path, file, needs in (
            ("python", "3.12.11", "linux-64/python-3.12.11-0.conda", python, frozenset()),
            ("tool", "1.0", "noarch/tool-1.0-0.tar.bz2", tool, frozenset({"python"})),
        )
    )


@pytest.mark.parametrize(("cuda", "build"), [("12.2", "cuda12"), ("13.0", "cuda13"), ("", "cpu")])
def test_the_driver_of_the_target_decides_between_builds(
    packages: CondaChannel, channel: Channel, monkeypatch: pytest.MonkeyPatch, cuda: str, build: str
) -> None:
    monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "11.0")
    packages.add("pytorch", "2.0", build="cpu")
    packages.add("pytorch", "2.1", build="cuda12", depends=["__cuda >=12"])
    packages.add("pytorch", "2.2", build="cuda13", depends=["__cuda >=13"])
    packages.publish()
    virtual = {"__cuda": (cuda, "0")} if cuda else {}
    (found,) = Channel(channel.role, channel.url, virtual).resolve({"pytorch": ""})
    assert found.build == build


def test_a_newer_c_library_than_the_target_has_is_passed_over(packages: CondaChannel, channel: Channel) -> None:
    packages.add("numpy", "2.0", depends=["__glibc >=2.17"])
    packages.add("numpy", "3.0", depends=["__glibc >=2.39"])
    packages.publish()
    assert paths(channel.resolve({"numpy": ""})) == ["linux-64/numpy-2.0-0.conda"]


def test_a_package_once_chosen_is_kept_while_it_fits(packages: CondaChannel, channel: Channel) -> None:
    old = packages.add("numpy", "2.0")
    packages.add("numpy", "3.0")
    packages.publish()
    kept = {hashlib.sha256(old.read_bytes()).hexdigest()}
    assert paths(channel.resolve({"numpy": ""}, preferred=kept)) == ["linux-64/numpy-2.0-0.conda"]
    assert paths(channel.resolve({"numpy >2": ""}, preferred=kept)) == ["linux-64/numpy-3.0-0.conda"]


def test_constraints_hold_and_bring_nothing_in(packages: CondaChannel, channel: Channel) -> None:
    packages.add("numpy", "2.0")
    packages.add("numpy", "3.0")
    packages.add("pandas", "1.0")
    packages.publish()
    found = channel.resolve({"numpy": ""}, constraints=["numpy <3", "pandas =1"])
    assert paths(found) == ["linux-64/numpy-2.0-0.conda"]


def test_what_cannot_be_had_is_told_in_rattler_s_words_with_the_key(packages: CondaChannel, channel: Channel) -> None:
    packages.add("numpy", "2.0")
    packages.add("broken", "1.0", depends=["numpy >=3"])
    packages.publish()
    with pytest.raises(RigforgeError, match="numpy >=3, for which no candidates were found") as error:
        channel.resolve({"numpy": "pytorch.version", "broken": "python.conda_packages"})
    assert "broken (python.conda_packages)" in error.value.hint


def test_a_package_that_is_not_there_is_named_alone(packages: CondaChannel, channel: Channel) -> None:
    packages.add("numpy", "2.0")
    packages.publish()
    with pytest.raises(RigforgeError, match="No candidates were found for numpie") as error:
        channel.resolve({"numpy": "pytorch.version", "numpie": "python.conda_packages"})
    assert error.value.hint.endswith("for: numpie (python.conda_packages)")


def test_a_channel_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(RigforgeError, match=rf"role conda-forge, {NOBODY}/conda-forge") as error:
        Channel("conda-forge", "http://me:secret@127.0.0.1:9/conda-forge", TARGET).resolve({"numpy": ""})
    assert "[mirrors]" in error.value.hint
    assert "secret" not in error.value.message + error.value.hint


@pytest.mark.parametrize("key", ["sha256", "size"])
def test_an_index_without_sha256_or_size_is_refused(packages: CondaChannel, channel: Channel, key: str) -> None:
    packages.add("numpy", "2.0")
    packages.publish()
    packages.edit(**{key: None})
    with pytest.raises(RigforgeError, match=rf"no {key} for numpy-2\.0-0\.conda"):
        channel.resolve({"numpy": ""})


def test_nothing_wished_for_needs_no_channel() -> None:
    assert Channel("conda-forge", NOBODY, TARGET).resolve({}) == ()


def test_a_closure_has_what_is_needed_and_no_more() -> None:
    def package(name: str, *needs: str) -> CondaPackage:
        return CondaPackage(name, "1", "0", f"noarch/{name}", 1, "", frozenset(needs))

    all_of_them = [package("a", "b", "__glibc"), package("b", "c"), package("c", "a"), package("d", "a")]
    assert closure(all_of_them, ["a", "not-there"]) == {"a", "b", "c"}


class TestCondarc:
    def url(self, home: Path, root: Path) -> str:
        return conda_channel("conda-forge", {"HOME": str(home)}, root)

    def test_the_alias_of_the_user_comes_before_the_machine_s(self, tmp_path: Path) -> None:
        (tmp_path / "etc/conda").mkdir(parents=True)
        (tmp_path / "etc/conda/.condarc").write_text("channel_alias: http://machine.lab\n")
        assert self.url(tmp_path, tmp_path) == "http://machine.lab/conda-forge"
        (tmp_path / ".condarc").write_text("channel_alias: http://user.lab/conda/\n")
        assert self.url(tmp_path, tmp_path) == "http://user.lab/conda/conda-forge"

    def test_a_channel_of_its_own_comes_before_the_alias(self, tmp_path: Path) -> None:
        (tmp_path / ".condarc").write_text(
            "channel_alias: http://user.lab\ncustom_channels:\n  conda-forge: http://other.lab/x\n"
        )
        assert self.url(tmp_path, tmp_path) == "http://other.lab/x/conda-forge"

    def test_what_is_no_yaml_is_refused_with_its_name(self, tmp_path: Path) -> None:
        (tmp_path / ".condarc").write_text("a: [b\n")
        with pytest.raises(RigforgeError, match=r"\.condarc is not YAML"):
            self.url(tmp_path, tmp_path)

    def test_without_any_it_is_where_rattler_has_it(self, tmp_path: Path) -> None:
        assert self.url(tmp_path, tmp_path).endswith("/conda-forge")
