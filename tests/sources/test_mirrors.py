"""Where archives and locked files are, by this machine's own configuration."""

from __future__ import annotations

import http.server
import json
import threading
from pathlib import Path

import pytest
import requests
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from rigforge.errors import RigforgeError
from rigforge.records.file import LockedFile
from rigforge.sources.apt_sources import places, read
from rigforge.sources.host_config import python_index
from rigforge.sources.mirrors import FileGoneError, Mirrors, locate, without_credentials

WHEEL = LockedFile("python", "wheel", "demo-pkg", "1.0", "pypi:Demo_Pkg-1.0-py3-none-any.whl", 3, "0" * 64)
DEB = LockedFile("base", "deb", "bash", "5", "debian:pool/main/b/bash/bash_5+b1~rc_amd64.deb", 3, "0" * 64)


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose user has configured nothing."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_CONFIG_FILE", "PIP_INDEX_URL", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home/.config"))


def apt_uris(directory: Path) -> list[str]:
    return [url for source in read(directory) for url in places(source)]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "home/.config/rigforge/config.toml"


# apt


def test_deb822_sources_may_have_comments_inside_a_stanza(tmp_path):
    write(
        tmp_path / "sources.list.d/debian.sources",
        "Types: deb\n# http://elsewhere.example/debian\nURIs: http://a.example/debian/\nSuites: bookworm\n\n"
        "# between\nTypes: deb deb-src\nURIs: http://a.example/debian-security\n http://b.example/debian-security\n",
    )
    assert list(apt_uris(tmp_path)) == [
        "http://a.example/debian",
        "http://a.example/debian-security",
        "http://b.example/debian-security",
    ]


def test_one_line_entries_may_have_options(tmp_path):
    write(
        tmp_path / "sources.list",
        "# deb http://comment.example/debian bookworm main\n"
        "deb-src http://source.example/debian bookworm main\n"
        "deb http://a.example/debian bookworm main\n"
        "deb [ arch=amd64 signed-by=/usr/share/keyrings/k.gpg ] https://b.example/ubuntu noble main\n",
    )
    assert list(apt_uris(tmp_path)) == ["http://a.example/debian", "https://b.example/ubuntu"]


@pytest.mark.parametrize("no", ["no", "false", "Off", "0"])
def test_disabled_entries_are_left_out(tmp_path, no):
    write(tmp_path / "sources.list.d/x.sources", f"Enabled: {no}\nTypes: deb\nURIs: http://a.example/debian\n")
    assert list(apt_uris(tmp_path)) == []


def test_sources_of_source_packages_alone_are_left_out(tmp_path):
    write(tmp_path / "sources.list.d/x.sources", "Types: deb-src\nURIs: http://a.example/debian\n")
    assert list(apt_uris(tmp_path)) == []


@pytest.mark.parametrize("uri", ["cdrom:[Debian]/debian", "mirror+file:/etc/apt/mirrors/debian", "mirror://x/debian"])
def test_places_without_a_url_for_every_file_are_left_out(tmp_path, uri):
    write(tmp_path / "sources.list", f"deb {uri} bookworm main\n")
    assert list(apt_uris(tmp_path)) == []


def test_files_that_apt_does_not_read_are_not_read(tmp_path):
    write(tmp_path / "sources.list.d/old.sources.disabled", "Types: deb\nURIs: http://a.example/debian\n")
    write(tmp_path / "sources.list.d/old.list.save", "deb http://a.example/debian bookworm main\n")
    assert list(apt_uris(tmp_path)) == []


# Package index


def test_a_machine_that_names_no_index_has_none_of_its_own(tmp_path):
    assert python_index(root=tmp_path) is None


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("home/.config/uv/uv.toml", 'index-url = "http://a.example/simple/"'),
        ("home/.config/uv/uv.toml", 'index = [{url = "http://x"}, {url = "http://a.example/simple", default = true}]'),
        ("etc/uv/uv.toml", 'index-url = "http://a.example/simple"'),
        ("home/.config/pip/pip.conf", "[global]\nindex-url = http://a.example/simple\n"),
        ("home/.pip/pip.conf", "[global]\nindex-url = http://a.example/simple\n"),
        ("etc/pip.conf", "[global]\ntimeout = 5 %s\nindex-url = http://a.example/simple\n"),
    ],
)  # fmt: skip
def test_the_index_is_read_from_every_file_that_uv_and_pip_read(tmp_path, path, text):
    write(tmp_path / path, text)
    assert python_index(root=tmp_path) == "http://a.example/simple"


@pytest.mark.parametrize("name", ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"])
def test_the_environment_comes_before_the_files_of_the_same_program(tmp_path, monkeypatch, name):
    write(tmp_path / "etc/pip.conf", "[global]\nindex-url = http://file.example/simple\n")
    monkeypatch.setenv(name, "http://a.example/simple")
    assert python_index(root=tmp_path) == "http://a.example/simple"


def test_an_index_that_only_adds_to_the_default_does_not_replace_it(tmp_path):
    write(
        tmp_path / "etc/pip.conf", "[global]\nextra-index-url = http://extra.example/simple\nfind-links = /opt/wheels\n"
    )
    write(tmp_path / "etc/uv/uv.toml", '[[index]]\nname = "extra"\nurl = "http://extra.example/simple"\n')
    assert python_index(root=tmp_path) is None


def test_a_default_index_of_uv_may_carry_a_name(tmp_path, monkeypatch):
    monkeypatch.setenv("UV_DEFAULT_INDEX", "internal=http://a.example/simple?x=1")
    assert python_index(root=tmp_path) == "http://a.example/simple?x=1"


# Roles


def test_a_role_is_served_by_the_first_apt_entry_that_ends_in_it(tmp_path):
    write(
        tmp_path / "etc/apt/sources.list.d/debian.sources",
        "Types: deb\nURIs: http://a.example/debian\n\nTypes: deb\nURIs: http://b.example/debian\n\n"
        "Types: deb\nURIs: http://a.example/debian-security/\n",
    )
    mirrors = Mirrors.from_environment(root=tmp_path)
    assert mirrors.url("debian") == "http://a.example/debian"
    assert mirrors.url("debian-security") == "http://a.example/debian-security"


def test_the_users_table_comes_before_apt_and_pip(tmp_path, config):
    write(tmp_path / "etc/apt/sources.list", "deb http://apt.example/debian bookworm main\n")
    write(config, '[mirrors]\ndebian = "http://mine.example/debian/"\npypi = "http://mine.example/simple"\n')
    mirrors = Mirrors.from_environment(root=tmp_path)
    assert mirrors.url("debian") == "http://mine.example/debian"
    assert mirrors.url("pypi") == "http://mine.example/simple"


def test_without_any_configuration_the_default_index_is_used(tmp_path):
    assert Mirrors.from_environment(root=tmp_path).url("pypi") == PYPI_SIMPLE_ENDPOINT.rstrip("/")


def test_an_unknown_role_is_named_with_the_file_and_key_that_cure_it(tmp_path, config):
    with pytest.raises(RigforgeError, match="`debian`") as failure:
        Mirrors.from_environment(root=tmp_path).url("debian")
    assert str(config) in failure.value.hint
    assert 'debian = "http' in failure.value.hint


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[mirrors]\ndebian = "a.example/debian"\n', "mirrors.debian"),
        ("[mirrors]\ndebian = 3\n", "mirrors.debian"),
        ('mirrors = "http://a.example"\n', "mirrors"),
        ("[mirrors\n", "TOML"),
    ],
)
def test_a_faulty_table_is_an_error_with_file_and_key(tmp_path, config, text, named):
    write(config, text)
    with pytest.raises(RigforgeError, match=named) as failure:
        Mirrors.from_environment(root=tmp_path)
    assert str(config) in failure.value.message


def test_a_mirror_directory_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(RigforgeError, match="nowhere"):
        Mirrors.from_environment(tmp_path / "nowhere", tmp_path)


# Files


@pytest.fixture
def index(tmp_path: Path):
    """A directory served on 127.0.0.1, and its URL."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        extensions_map = {".html": "text/html", ".json": "application/vnd.pypi.simple.v1+json"}  # noqa: RUF012
        index_pages = ("index.html", "index.json")

        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path / "www"))

        def translate_path(self, path):
            there = Path(super().translate_path(path)) / "index.json"
            return str(there) if there.is_file() else super().translate_path(path)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", tmp_path / "www"
        server.shutdown()


def test_a_package_is_below_its_archive_with_plus_signs_quoted_as_apt_does():
    url = locate(DEB, Mirrors({"debian": "http://a.example/debian"}), requests.Session())
    assert url == "http://a.example/debian/pool/main/b/bash/bash_5%2Bb1~rc_amd64.deb"


def test_a_wheel_is_looked_up_on_an_html_page_by_its_exact_name(index):
    url, www = index
    write(
        www / "simple/demo-pkg/index.html",
        '<a href="../../f/demo_pkg-1.0-py3-none-any.whl">demo_pkg-1.0-py3-none-any.whl</a>'
        '<a href="../../f/Demo_Pkg-1.0-py3-none-any.whl#sha256=00">Demo_Pkg-1.0-py3-none-any.whl</a>',
    )
    found = locate(WHEEL, Mirrors({"pypi": f"{url}/simple"}), requests.Session())
    assert found == f"{url}/f/Demo_Pkg-1.0-py3-none-any.whl"


def test_a_wheel_is_looked_up_on_a_json_page(index):
    url, www = index
    name = "Demo_Pkg-1.0-py3-none-any.whl"
    page = {
        "meta": {"api-version": "1.0"},
        "name": "demo-pkg",
        "files": [{"filename": name, "url": f"/f/{name}", "hashes": {}}],
    }
    write(www / "simple/demo-pkg/index.json", json.dumps(page))
    assert locate(WHEEL, Mirrors({"pypi": f"{url}/simple"}), requests.Session()) == f"{url}/f/{name}"


def test_a_wheel_that_its_page_no_longer_lists_is_gone(index):
    url, www = index
    write(www / "simple/demo-pkg/index.html", '<a href="x.whl">demo_pkg-2.0-py3-none-any.whl</a>')
    with pytest.raises(FileGoneError, match=r"Demo_Pkg-1\.0") as failure:
        locate(WHEEL, Mirrors({"pypi": f"{url}/simple"}), requests.Session())
    assert "invoke lock --upgrade" in failure.value.hint


def test_a_project_that_its_index_no_longer_has_is_gone(index):
    with pytest.raises(FileGoneError):
        locate(WHEEL, Mirrors({"pypi": f"{index[0]}/simple"}), requests.Session())


def test_what_is_no_index_is_said_to_be_none(index):
    url, www = index
    write(www / "simple/demo-pkg/index.json", "this is no JSON")
    with pytest.raises(RigforgeError, match="not a page of a Python package index"):
        locate(WHEEL, Mirrors({"pypi": f"{url}/simple"}), requests.Session())


@pytest.mark.parametrize("file", [WHEEL, DEB], ids=["wheel", "deb"])
def test_a_file_in_the_mirror_directory_needs_no_mirror(tmp_path, file):
    path = write(tmp_path / "vendor" / file.file.replace(":", "/"), "…")
    assert locate(file, Mirrors({}, tmp_path / "vendor"), requests.Session()) == path


def test_user_and_password_are_taken_out_of_a_url_that_is_shown():
    assert without_credentials("https://me:secret@a.example:8443/simple") == "https://a.example:8443/simple"
