"""apt resolves in a private root: layers, pins, signatures, and what is said when an archive is not usable."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.sources.apt import MINIMAL, Archive, Deb, private_root
from tests.sources.serving import NOBODY, served
from tests.sources.signed_archive import Key, SignedArchive, key, minimal_system

__all__ = ["key"]

BASE = dict.fromkeys(MINIMAL, "the minimal system")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, key: Key) -> Path:
    archive = SignedArchive(tmp_path_factory.mktemp("archive"))
    minimal_system(archive, "bookworm")
    archive.publish("bookworm", key)
    return archive.path


@pytest.fixture
def pool(tmp_path: Path, built: Path) -> SignedArchive:
    """The archive of role debian, in a folder whose name apt has to escape."""
    return SignedArchive(Path(shutil.copytree(built, tmp_path / "served_~1/debian")))


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with served(tmp_path) as address:
        yield f"{address}/served_~1"


@pytest.fixture
def debian(pool: SignedArchive, url: str, key: Key) -> Archive:
    return Archive("debian", f"{url}/{pool.path.name}", "bookworm", ("main",), key.keyring)


def resolve(*archives: Archive, wishes: dict[str, str] = BASE, below: tuple[Deb, ...] = ()) -> tuple[Deb, ...]:  # fmt: skip # noqa: E501
    with private_root("amd64", archives) as root:
        root.update()
        return root.resolve("layer host", wishes, {deb.name: deb.version for deb in below})


def names(files: tuple[Deb, ...]) -> list[str]:
    return [file.name for file in files]


def test_the_minimal_system_is_what_is_essential_or_required_and_apt(debian: Archive) -> None:
    assert names(resolve(debian)) == ["apt", "bash", "libc6", "tzdata"]


def test_a_file_is_locked_as_the_archive_has_it(debian: Archive, pool: SignedArchive) -> None:
    bash = pool.path / "pool/bookworm/main/bash_5.2+dfsg-1_amd64.deb"
    assert resolve(debian)[1] == Deb(
        name="bash",
        version="1:5.2+dfsg-1",
        file="debian:pool/bookworm/main/bash_5.2+dfsg-1_amd64.deb",
        size=bash.stat().st_size,
        sha256=hashlib.sha256(bash.read_bytes()).hexdigest(),
    )


def test_the_state_of_the_archive_is_its_signed_release_file(debian: Archive, pool: SignedArchive, key: Key) -> None:
    release = pool.publish("bookworm", key, Date="Sat, 11 Jul 2026 10:16:37 UTC") / "InRelease"
    with private_root("amd64", [debian]) as root:
        (state,) = root.update()
    assert (state.role, state.suite, state.date) == ("debian", "bookworm", "Sat, 11 Jul 2026 10:16:37 UTC")
    assert state.inrelease_sha256 == hashlib.sha256(release.read_bytes()).hexdigest()


def test_an_archive_whose_signature_lies_apart_serves_as_well(debian: Archive, pool: SignedArchive, key: Key) -> None:
    release = pool.publish("bookworm", key, apart=True) / "Release"
    with private_root("amd64", [debian]) as root:
        (state,) = root.update()
    assert state.inrelease_sha256 == hashlib.sha256(release.read_bytes()).hexdigest()


def test_an_archive_in_a_directory_needs_no_server(debian: Archive, pool: SignedArchive) -> None:
    assert resolve(replace(debian, url=f"file://{pool.path}")) == resolve(debian)


def test_a_layer_holds_only_what_those_below_have_not(debian: Archive, pool: SignedArchive, key: Key) -> None:
    pool.add("bookworm", "sudo", Depends="libc6, libpam0g")
    pool.add("bookworm", "libpam0g")
    pool.publish("bookworm", key)
    assert names(resolve(debian, wishes={"sudo": "", "apt": ""}, below=resolve(debian))) == ["libpam0g", "sudo"]


def test_a_layer_takes_the_alternative_that_is_there_below(debian: Archive, pool: SignedArchive, key: Key) -> None:
    pool.add("bookworm", "sudo", Depends="mawk | tzdata")
    pool.add("bookworm", "mawk")
    pool.publish("bookworm", key)
    assert names(resolve(debian, wishes={"sudo": ""}, below=resolve(debian))) == ["sudo"]


def test_a_layer_that_excludes_one_below_is_refused(debian: Archive, pool: SignedArchive, key: Key) -> None:
    pool.add("bookworm", "busybox", Conflicts="bash")
    pool.publish("bookworm", key)
    with pytest.raises(RigforgeError, match="layer host cannot be installed together") as error:
        resolve(debian, wishes={"busybox": "packages.host"}, below=resolve(debian))
    assert "packages.host" in error.value.hint


def test_the_newest_version_of_all_suites_is_taken_from_the_archive_that_has_it(
    debian: Archive, url: str, tmp_path: Path, key: Key
) -> None:
    security = SignedArchive(tmp_path / "served_~1/debian-security")
    security.add("bookworm-security", "tzdata", "2026b-1", Priority="required")
    security.publish("bookworm-security", key)
    updates = replace(debian, role="debian-security", url=f"{url}/debian-security", suite="bookworm-security")
    files = {file.name: file.file for file in resolve(debian, updates)}
    assert files["tzdata"] == "debian-security:pool/bookworm-security/main/tzdata_2026b-1_amd64.deb"
    assert files["apt"].startswith("debian:")


def test_a_pinned_source_brings_its_version_of_everything_built_from_it(
    debian: Archive, pool: SignedArchive, key: Key
) -> None:
    for version in ("535.261.03-1", "535.309.01-1"):
        source = {"Source": "nvidia-graphics-drivers"}
        pool.add("bookworm", "libcuda1", version, Depends=f"nvidia-alternative (= {version})", **source)
        pool.add("bookworm", "nvidia-alternative", version, **source)
    pool.publish("bookworm", key)
    with private_root("amd64", [debian]) as root:
        root.update()
        assert {file.version for file in root.resolve("layer host", {"libcuda1": ""})} == {"535.309.01-1"}
        root.pin("nvidia-graphics-drivers", "535.261.03*")
        assert {file.version for file in root.resolve("layer host", {"libcuda1": ""})} == {"535.261.03-1"}


def test_a_pinned_package_may_have_dots_in_its_name(debian: Archive, pool: SignedArchive, key: Key) -> None:
    """As kernels have: to apt, what follows the last dot of a file with preferences is its extension."""
    name = "linux-image-6.8.0-88-generic"
    for version in ("6.8.0-88.89", "6.8.0-88.90"):
        pool.add("bookworm", name, version)
    pool.publish("bookworm", key)
    with private_root("amd64", [debian]) as root:
        root.update()
        root.pin_package(name, "6.8.0-88.89")
        assert [file.version for file in root.resolve("layer host", {name: ""})] == ["6.8.0-88.89"]


def test_available_are_all_versions_with_their_source(debian: Archive, pool: SignedArchive, key: Key) -> None:
    pool.add("bookworm", "libcuda1", "535.261.03-1", Source="nvidia-graphics-drivers")
    pool.add("bookworm", "libcuda1", "535.309.01-1+b1", Source="nvidia-graphics-drivers (535.309.01-1)")
    pool.publish("bookworm", key)
    with private_root("amd64", [debian]) as root:
        root.update()
        found = {(each.version, each.source) for each in root.available(["libcuda1", "no-such-package"])}
    assert found == {
        ("535.261.03-1", "nvidia-graphics-drivers"),
        ("535.309.01-1+b1", "nvidia-graphics-drivers"),
    }


def test_the_same_archive_gives_the_same_files_whatever_apt_is_told_on_the_machine(
    debian: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = resolve(debian)
    (tmp_path / "apt.conf").write_text('Acquire::http::Proxy "http://127.0.0.1:9"; APT::Install-Recommends "true";')
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    assert resolve(debian) == expected


def test_nothing_is_left_behind(debian: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    with pytest.raises(RigforgeError):
        resolve(debian, wishes={"no-such-package": ""})
    assert not list((tmp_path / "tmp").iterdir())


def test_an_unknown_package_is_named_with_its_key_and_near_names(debian: Archive) -> None:
    with pytest.raises(
        RigforgeError, match=r"ca-certificate \(asked for by packages.base\) is not in bookworm"
    ) as error:
        resolve(debian, wishes={"apt": "", "ca-certificate": "packages.base"})
    assert error.value.hint == "did you mean ca-certificates?"


def test_a_package_that_is_only_depended_on_is_unknown_too(debian: Archive, pool: SignedArchive, key: Key) -> None:
    pool.add("bookworm", "nvidia-driver", Depends="xserver-xorg")
    pool.publish("bookworm", key)
    with pytest.raises(RigforgeError, match=r"xserver-xorg \(asked for by packages.host\) is not in bookworm"):
        resolve(debian, wishes={"xserver-xorg": "packages.host"})


def test_a_dependency_that_cannot_be_had_is_told_in_apt_s_words(debian: Archive, pool: SignedArchive, key: Key) -> None:
    pool.add("bookworm", "nvidia-driver", Depends="xserver-xorg (>= 21)")
    pool.publish("bookworm", key)
    with pytest.raises(RigforgeError, match=r"nvidia-driver : Depends: xserver-xorg \(>= 21\)") as error:
        resolve(debian, wishes={"nvidia-driver": "packages.host"})
    assert "packages.host" in error.value.hint


def test_an_expired_release_is_refused_and_the_setting_that_accepts_it_named(
    debian: Archive, pool: SignedArchive, key: Key
) -> None:
    pool.publish("bookworm", key, Valid_Until="Sat, 01 Jan 2022 00:00:00 UTC")
    with pytest.raises(RigforgeError, match=r"archive debian \(.* bookworm\) has expired") as error:
        resolve(debian)
    assert "check_valid_until = false" in error.value.hint
    assert names(resolve(replace(debian, check_valid_until=False))) == ["apt", "bash", "libc6", "tzdata"]


def tampered(release: Path) -> None:
    release.write_text(release.read_text().replace("Suite: bookworm", "Suite: wormbook"))


@pytest.mark.parametrize(
    ("signed", "tamper"), [(False, lambda _: None), (True, tampered)], ids=["not signed", "changed after signing"]
)
def test_a_release_without_a_good_signature_is_refused_and_the_keyring_named(
    debian: Archive, pool: SignedArchive, key: Key, signed: bool, tamper: Callable[[Path], None]
) -> None:
    tamper(pool.publish("bookworm", key if signed else None) / "InRelease")
    with pytest.raises(RigforgeError, match=f"not signed by a key of the keyring {key.keyring}"):
        resolve(debian)


def test_a_release_signed_with_another_key_is_refused_even_when_its_age_is_accepted(debian: Archive) -> None:
    stranger = Key()
    try:
        with pytest.raises(RigforgeError, match=f"not signed by a key of the keyring {stranger.keyring}: NO_PUBKEY"):
            resolve(replace(debian, keyring=stranger.keyring, check_valid_until=False))
    finally:
        stranger.close()


def test_indices_that_are_not_those_of_the_release_are_refused(debian: Archive, pool: SignedArchive) -> None:
    index = pool.path / "dists/bookworm/main/binary-amd64/Packages"
    index.write_text(index.read_text().replace("Package: tzdata", "Package: badata"))
    with pytest.raises(RigforgeError, match=r"archive debian .* is damaged, or just being updated"):
        resolve(debian)


def test_a_release_of_tomorrow_points_to_the_clock(debian: Archive, pool: SignedArchive, key: Key) -> None:
    pool.publish("bookworm", key, Date="Sat, 01 Jan 2050 00:00:00 UTC")
    with pytest.raises(RigforgeError, match="dated in the future") as error:
        resolve(debian)
    assert "clock" in error.value.hint


@pytest.mark.parametrize(
    ("change", "complaint", "hint"),
    [
        ({"suite": "bookwrom"}, "has no suite bookwrom", "`suite`"),
        ({"components": ("main", "contrip")}, "has no component contrip", "`components`"),
        ({"keyring": Path("/no/such.gpg")}, "keyring of archive debian .*/no/such.gpg", "`keyring`"),
    ],
)
def test_what_the_stack_says_of_an_archive_must_be_so(
    debian: Archive, change: dict[str, object], complaint: str, hint: str
) -> None:
    with pytest.raises(RigforgeError, match=complaint) as error:
        resolve(replace(debian, **change))  # type: ignore[arg-type]
    assert hint in error.value.hint


def test_an_archive_that_does_not_answer_is_named_by_role_and_address_without_its_password(debian: Archive) -> None:
    dead = replace(debian, role="debian-security", url="http://me:secret@127.0.0.1:9/debian-security")
    with pytest.raises(
        RigforgeError, match=rf"archive debian-security \({NOBODY}/debian-security .*does not answer"
    ) as error:
        resolve(dead)
    assert "mirror of role debian-security" in error.value.hint
    assert "secret" not in error.value.message + error.value.hint


@pytest.mark.parametrize("filename", ["../../outside.deb", "/etc/cron.d/x.deb", "pool/a b.deb", "pool/../../x.deb"])
def test_a_filename_that_leads_out_of_the_archive_is_refused(
    pool: SignedArchive, debian: Archive, key: Key, monkeypatch: pytest.MonkeyPatch, filename: str
) -> None:
    honest = SignedArchive._ftparchive

    def hostile(archive: SignedArchive, *words: str) -> str:
        return re.sub("^Filename: .*/tzdata_.*$", f"Filename: {filename}", honest(archive, *words), flags=re.MULTILINE)

    monkeypatch.setattr(SignedArchive, "_ftparchive", hostile)
    pool.publish("bookworm", key)
    with pytest.raises(RigforgeError, match=r"^archive debian \(http.* bookworm\): tzdata: file: must be ROLE:FOLDER"):
        resolve(debian)
