"""Whatever other people's text does to a library, the user gets an error of ours with a message."""

from __future__ import annotations

import io
from collections.abc import Callable
from email.message import Message
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from rigforge.artifacts.artifact import Result
from rigforge.artifacts.oci_images import OciImages
from rigforge.attest import licences
from rigforge.attest.keys import secret_key
from rigforge.attest.minisign import PublicKey
from rigforge.attest.sbom import Distribution
from rigforge.autoinstall.subiquity import document, install_sources
from rigforge.compat import render, request
from rigforge.compat.solution import find_solution
from rigforge.errors import RigforgeError
from rigforge.foreign import boundary, path_of
from rigforge.images import oci
from rigforge.installer import document as target_document
from rigforge.layers.build import Cache
from rigforge.report import measure
from rigforge.reproduce import record
from rigforge.sources import host_config
from rigforge.sources.mirrors import without_credentials
from rigforge.sources.pypi import _wheel
from rigforge.stack.load import load

DIGITS = "9" * 5000
DEEP = "[" * 100_000

HOSTILE_TOML = (f"description = {DIGITS}", f"description = 0x{'f' * 5000}", f"a = {DEEP}", 'extends = "a\\u0000/b"')
HOSTILE_YAML = ("!!timestamp x", "a: !!int ''", "!!float {}", f"a: {DIGITS}", "!!binary é", "a: !!bool x")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "foreign.toml"


@pytest.mark.parametrize(
    "text", [*HOSTILE_TOML, '[secure_boot]\nkey = "~nosuchuser/k"\ncertificate = "c"', 'extends = "~nosuchuser/x"']
)
def test_a_stack_is_refused_by_its_name(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(RigforgeError, match=r"foreign\.toml|--stack"):
        load(file)


@pytest.mark.parametrize("value", ["a\0b", "~nosuchuser/key.pub", "/" + "x" * 5000])
def test_a_setting_that_is_no_path_of_a_key_is_refused(value: str) -> None:
    with pytest.raises(RigforgeError, match="--set ssh_key"):
        load("smoke", sets=[f"ssh_key={value}"])


@pytest.mark.parametrize("text", HOSTILE_YAML)
def test_no_constructor_of_yaml_gets_through(tmp_path: Path, text: str) -> None:
    file = tmp_path / "foreign.yaml"
    file.write_text(text)
    with pytest.raises(RigforgeError, match=r"foreign\.yaml"):
        install_sources.ids(file)
    with pytest.raises(target_document.DocumentError):
        target_document.parse(text, "foreign.yaml")
    try:
        document.read(file)
    except RigforgeError as error:
        assert "foreign.yaml" in error.message
    (tmp_path / ".condarc").write_text(text)
    try:
        host_config.conda_channel("conda-forge", {"HOME": str(tmp_path)}, tmp_path)
    except RigforgeError as error:
        assert ".condarc" in error.message


def test_a_condarc_of_another_form_is_named(tmp_path: Path) -> None:
    (tmp_path / ".condarc").write_text("custom_channels: [conda-forge]")
    with pytest.raises(RigforgeError, match=r"\.condarc: custom_channels"):
        host_config.conda_channel("conda-forge", {"HOME": str(tmp_path)}, tmp_path)


@pytest.mark.parametrize("driver", ["٣", "५३५", DIGITS, f"535.{DIGITS}"])
def test_a_driver_of_other_digits_is_no_version(driver: str) -> None:
    with pytest.raises(RigforgeError, match="is no version"):
        request.build_request([], {"driver": driver})


@pytest.mark.parametrize("name", ["[/bold]", "[red]x[/red]", "[link=file:///etc]x", "\\[x]"])
def test_a_name_with_brackets_is_shown_as_it_is(name: str) -> None:
    console = Console(file=io.StringIO(), width=200)
    console.print(render.as_table(find_solution(request.build_request([f"{name}=8.9"], {}))))
    assert name in console.file.getvalue()


@pytest.mark.parametrize("given", ["~nosuchuser/x", "a\0b"])
def test_a_key_that_is_no_path_is_refused(given: str) -> None:
    for read in (PublicKey.read, secret_key):
        with pytest.raises(RigforgeError, match="is no path"):
            read(given)


def test_a_list_of_digests_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.digests").write_bytes(b"\xff")
    with pytest.raises(RigforgeError, match=r"x\.digests is no list of digests: not UTF-8"):
        record.read(tmp_path / "x.digests")


@pytest.mark.parametrize("index", ["{}", "[]", "\xff", DEEP, '{"manifests": [{"digest": "sha256:../../etc/passwd"}]}'])
def test_an_index_that_is_none_is_named(tmp_path: Path, index: str) -> None:
    (tmp_path / "index.json").write_text(index, encoding="latin-1")
    with pytest.raises(RigforgeError, match=r"index\.json|is no digest"):
        oci.read_index(tmp_path)


@pytest.mark.parametrize("manifest", ["{}", '{"config": {"digest": "sha256:aa"}, "layers": []}', "[1]", "null"])
def test_an_image_with_a_manifest_of_another_form_is_left_out(
    tmp_path: Path, manifest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    layout, digest = tmp_path / "images/lab", "a" * 64
    (layout / "blobs/sha256").mkdir(parents=True)
    (layout / "blobs/sha256" / digest).write_text(manifest)
    entry = f'{{"digest": "sha256:{digest}", "annotations": {{"{oci.TAG}": "x"}}}}'
    (layout / "index.json").write_text(f'{{"manifests": [{entry}]}}')
    assert OciImages().result(layout, Cache(tmp_path)) == Result()
    assert f"an image of {layout} is left out" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("content", [b"\xff", b'"' + b"x" * 200_000, b"", b"\n\n", b"a\0b,,"])
def test_an_odd_record_ends_no_measurement(tmp_path: Path, content: bytes) -> None:
    for name, text in (("odd-1.dist-info", content), ("plain-1.dist-info", b"plain.py,,\n")):
        (tmp_path / "lib" / name).mkdir(parents=True)
        (tmp_path / "lib" / name / "RECORD").write_bytes(text)
    assert measure.owned_by_wheels(tmp_path, "lib")["lib/plain.py"] == ("wheel", "plain")


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", DEEP, '{"name": 1, "license": 2, "files": 3}'])
def test_an_odd_record_of_conda_ends_neither_report_nor_bill(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "opt/conda/conda-meta"
    folder.mkdir(parents=True)
    (folder / "odd.json").write_text(content)
    (folder / "plain.json").write_text('{"name": "plain", "license": "MIT", "files": ["bin/plain"]}')
    assert measure.owned_by_conda(tmp_path)["opt/conda/bin/plain"] == ("conda", "plain")
    assert licences.of_conda(sorted(folder.iterdir()))["plain"] == (licences.Licence("MIT", True),)


@pytest.mark.parametrize("content", ["", "License: x", "Name:", "\0", "Name: odd\nLicense: " + "(" * 50_000])
def test_odd_metadata_ends_no_bill(tmp_path: Path, content: str) -> None:
    plain = Message()
    plain["Name"], plain["License"] = "plain", "MIT"
    for name, text in (("odd-1.dist-info", content), ("plain-1.dist-info", str(plain))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "METADATA").write_text(text)
    assert licences.of_wheels(tmp_path)["plain"] == (licences.Licence("MIT", True),)


@pytest.mark.parametrize("content", [b'PRETTY_NAME="x', b"", b"ID", b"\xff", b"ID=debian"])
def test_an_os_release_without_its_fields_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/os-release").write_bytes(content)
    with pytest.raises(RigforgeError, match="there is no ID or no VERSION_ID in it"):
        Distribution.of([tmp_path])


def test_a_package_without_wheels_is_said_to_have_none() -> None:
    with pytest.raises(RigforgeError, match="no wheel of x 1"):
        _wheel({"name": "x", "version": "1", "wheels": []}, {})


def test_credentials_are_taken_out_of_what_is_no_address() -> None:
    assert without_credentials("http://user:secret@[::1") == "http://[::1"


@pytest.mark.parametrize(
    "error",
    [
        RecursionError(),
        IndexError(),
        KeyError("x"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "why"),
        yaml.YAMLError("x" * 10_000),
    ],
)
def test_the_boundary_turns_any_error_of_a_library_into_ours_and_keeps_it_short(error: Exception) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(RigforgeError, match=r"the file: .") as failure, boundary("the file", "mend it"):
        fail()
    assert len(failure.value.message) < 600
    assert failure.value.hint == "mend it"


@pytest.mark.parametrize("error", [RigforgeError("ours"), FileNotFoundError(2, "gone"), MemoryError()])
def test_the_boundary_leaves_our_errors_and_the_machines_as_they_are(error: Exception) -> None:
    fail: Callable[[], None] = lambda: (_ for _ in ()).throw(error)  # noqa: E731
    with pytest.raises(type(error)) as failure, boundary("the file"):
        fail()
    assert failure.value is error


def test_a_path_of_a_user_that_there_is_not_is_refused() -> None:
    with pytest.raises(RigforgeError, match="here: '~nosuchuser/x' is no path"):
        path_of("~nosuchuser/x", "here")
