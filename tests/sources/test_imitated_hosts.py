"""Where archives are on the hosts that people have; their files are as their images bring them, but for names."""

from __future__ import annotations

from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.sources import apt_proxy, public_places
from rigforge.sources.apt_auth import with_login
from rigforge.sources.mirrors import Mirrors
from tests.sources.serving import served

UBUNTU = """\
# See http://help.example/community/UpgradeNotes for how to upgrade to
# newer versions of the distribution.

## Ubuntu distribution repository
##
## The following settings can be adjusted to configure which packages to use from Ubuntu.

Types: deb
URIs: http://archive.example/ubuntu/
Suites: noble noble-updates noble-backports
Components: main universe restricted multiverse
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg

## Ubuntu security updates. Aside from URIs and Suites,
## this should mirror your choices in the previous section.
Types: deb
URIs: http://security.example/ubuntu/
Suites: noble-security
Components: main universe restricted multiverse
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg
"""

PPA = """\
Types: deb
URIs: https://ppa.example/deadsnakes/ppa/ubuntu/
Suites: noble
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBFl8fYEBEADQmGZ6pDrwY9iH9DVlwNwTOvOZ7q7lHXPl
 =Tj9f
 -----END PGP PUBLIC KEY BLOCK-----
"""

#: Debian's cloud images of both releases have these two files, and the archive's address in neither.
CLOUD = """\
Types: deb deb-src
URIs: mirror+file:///etc/apt/mirrors/debian.list
Suites: {suite} {suite}-updates {suite}-backports
Components: main
{signed}
Types: deb deb-src
URIs: mirror+file:///etc/apt/mirrors/debian-security.list
Suites: {suite}-security
Components: main
{signed}"""

SIGNED = "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"


@pytest.fixture(autouse=True)
def of_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who has configured nothing."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_CONFIG_FILE", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "CONDARC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home/.config"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    apt_proxy.settings.cache_clear()
    return tmp_path / "root"


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def where(root: Path, role: str) -> str:
    return Mirrors.from_environment(root=root).url(role)


def ubuntu(root: Path) -> None:
    write(root, "etc/apt/sources.list", "# Ubuntu sources have moved to /etc/apt/sources.list.d/ubuntu.sources\n")
    write(root, "etc/apt/sources.list.d/ubuntu.sources", UBUNTU)


def test_ubuntus_archive_is_not_the_one_for_security_updates(root: Path) -> None:
    ubuntu(root)
    assert where(root, "ubuntu") == "http://archive.example/ubuntu"


def test_a_ppa_is_not_ubuntus_archive_though_its_file_comes_first(root: Path) -> None:
    ubuntu(root)
    write(root, "etc/apt/sources.list.d/deadsnakes-ubuntu-ppa-noble.sources", PPA)
    write(
        root,
        "etc/apt/sources.list.d/docker.list",
        "deb [arch=amd64 signed-by=/etc/apt/keyrings/docker.asc] https://docker.example/linux/ubuntu   noble stable\n",
    )
    assert where(root, "ubuntu") == "http://archive.example/ubuntu"


def test_a_ppa_on_debian_is_told_by_what_its_release_file_calls_itself(root: Path) -> None:
    write(root, "etc/apt/sources.list.d/ppa.sources", PPA)
    lists = "var/lib/apt/lists/ppa.example_deadsnakes_ppa_ubuntu_dists_noble_InRelease"
    write(root, lists, "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nOrigin: LP-PPA-deadsnakes\nLabel: Python\n")
    assert where(root, "ubuntu") == public_places.url("ubuntu")


def test_an_ubuntu_host_builds_for_debian_from_where_mmdebstrap_looks(root: Path) -> None:
    ubuntu(root)
    program = """\
    my $mirror    = 'http://debian.example/debian';
    my $secmirror = 'http://fixes.example/debian-security';
            $mirror    = 'http://archive.example/ubuntu';
"""
    write(root, "usr/bin/mmdebstrap", program)
    assert where(root, "debian") == "http://debian.example/debian"
    assert where(root, "debian-security") == "http://fixes.example/debian-security"


def test_an_ubuntu_host_builds_for_debian_from_where_python_apt_looks(root: Path) -> None:
    ubuntu(root)
    template = """\
ChangelogURI: https://changelogs.example/%s

Suite: {series}
RepositoryType: deb
BaseURI: https://debian.example/debian/
MatchURI: deb.example
Description: Debian {version} '{codename}'

Suite: {series}-security
RepositoryType: deb
BaseURI: https://fixes.example/
"""
    write(root, "usr/share/python-apt/templates/Debian.info", template)
    assert where(root, "debian") == "https://debian.example/debian"
    assert where(root, "debian-security") == "https://fixes.example"


@pytest.mark.parametrize(("suite", "signed"), [("bookworm", ""), ("trixie", SIGNED)], ids=["debian-12", "debian-13"])
def test_debians_cloud_images_name_lists_of_mirrors(root: Path, suite: str, signed: str) -> None:
    write(root, "etc/apt/sources.list", "# See /etc/apt/sources.list.d/debian.sources\n")
    write(root, "etc/apt/sources.list.d/debian.sources", CLOUD.format(suite=suite, signed=signed))
    write(root, "etc/apt/mirrors/debian.list", "https://deb.example/debian\n")
    write(root, "etc/apt/mirrors/debian-security.list", "https://deb.example/debian-security\n")
    assert where(root, "debian") == "https://deb.example/debian"
    assert where(root, "debian-security") == "https://deb.example/debian-security"
    assert where(root, "ubuntu") == public_places.url("ubuntu")


def test_a_list_of_mirrors_is_read_in_apts_order_without_those_that_lack_files(root: Path) -> None:
    write(root, "etc/apt/sources.list", "deb mirror+file:/etc/apt/list.txt bookworm main\n")
    listed = (
        "# ours\n\nfile:/srv/local/debian/\tpriority:1 type:index\n"
        "http://arm.example/debian/\tpriority:1 arch:arm64\n"
        "http://last.example/debian/\n"
        "http://second.example/debian/\tpriority:2 arch:amd64 arch:all\n"
    )
    write(root, "etc/apt/list.txt", listed)
    assert where(root, "debian") == "http://second.example/debian"


def test_a_list_of_mirrors_on_a_web_server_is_fetched_when_its_role_is_asked_for(root: Path, tmp_path: Path) -> None:
    write(tmp_path, "www/mirrors.txt", "file:/etc\nhttp://near.example/debian/\n")
    with served(tmp_path / "www") as url:
        write(root, "etc/apt/sources.list", f"deb mirror+{url}/mirrors.txt bookworm main\n")
        assert where(root, "debian") == "http://near.example/debian"
        write(root, "etc/apt/sources.list", f"deb {url.replace('http', 'mirror')}/mirrors.txt bookworm main\n")
        assert where(root, "debian") == "http://near.example/debian"


@pytest.mark.parametrize("uri", ["mirror+file:/etc/apt/none.list", "mirror+http://127.0.0.1:9/none.list"])
def test_a_list_of_mirrors_that_cannot_be_had_is_passed_over(root: Path, uri: str) -> None:
    write(root, "etc/apt/sources.list", f"deb {uri} bookworm main\n")
    with pytest.raises(RigforgeError, match="where the archive `debian` is"):
        where(root, "debian")


def test_entries_of_other_architectures_are_not_ours(root: Path) -> None:
    write(root, "etc/apt/sources.list", "deb [arch=arm64] http://arm.example/debian bookworm main\n")
    stanza = "Types: deb\nURIs: http://arm.example/debian-security\nSuites: x\nArchitectures: arm64 armhf\n"
    write(root, "etc/apt/sources.list.d/a.sources", stanza)
    for role in ("debian", "debian-security"):
        with pytest.raises(RigforgeError):
            where(root, role)


def test_a_host_without_apt_has_the_public_places_and_is_asked_for_debians(root: Path) -> None:
    root.mkdir()
    for role in ("ubuntu", "ubuntu-releases", "conda-forge", "cuda-redist"):
        assert where(root, role) == public_places.url(role)
    assert where(root, "pypi").startswith("https://")
    with pytest.raises(RigforgeError, match="where the archive `debian` is") as failure:
        where(root, "debian")
    assert 'debian = "http://HOST/debian"' in failure.value.hint


def test_the_users_table_comes_before_the_machine_and_the_public_places(root: Path, tmp_path: Path) -> None:
    ubuntu(root)
    mirrors = '[mirrors]\nubuntu = "http://mine.example/ubuntu"\nconda-forge = "http://mine.example/conda-forge"\n'
    write(tmp_path, "home/.config/rigforge/config.toml", mirrors)
    assert where(root, "ubuntu") == "http://mine.example/ubuntu"
    assert where(root, "conda-forge") == "http://mine.example/conda-forge"


# Proxies and passwords


def test_a_password_of_apts_is_in_the_url_that_is_fetched(root: Path) -> None:
    write(root, "etc/apt/sources.list", "deb https://lab.example/debian bookworm main\n")
    write(
        root, "etc/apt/auth.conf.d/lab.conf", "# the lab's\nmachine lab.example/debian\n  login ada password p@ss/#1\n"
    )
    assert where(root, "debian") == "https://ada:p%40ss%2F%231@lab.example/debian"


@pytest.mark.parametrize(
    ("machine", "fits"),
    [
        ("example.org", True),
        ("example.org/deb", True),
        ("example.org/debian", True),
        ("example.org/debian/", True),
        ("https://example.org", True),
        ("http://example.org", False),
        ("example.org:443", False),
        ("example.org/deb/", False),
        ("example.org/ubuntu", False),
        ("example.orga", False),
        ("example.net", False),
    ],
)
def test_a_machine_of_auth_conf_fits_as_its_manual_says(tmp_path: Path, machine: str, fits: bool) -> None:
    (tmp_path / "auth.conf").write_text(f"machine {machine} login apt password debian\n")
    url = with_login("https://example.org/debian", tmp_path)
    assert url == ("https://apt:debian@example.org/debian" if fits else "https://example.org/debian")


def test_over_http_a_password_is_given_where_the_entry_says_http(tmp_path: Path) -> None:
    (tmp_path / "auth.conf").write_text("machine a.example login x password y\n")
    assert with_login("http://a.example/debian", tmp_path) == "http://a.example/debian"
    (tmp_path / "auth.conf").write_text("machine http://a.example login x password y\n")
    assert with_login("http://a.example/debian", tmp_path) == "http://x:y@a.example/debian"


@pytest.mark.parametrize("end", ["machine", "machine b.example login x password machine", "machine c.example login"])
def test_an_auth_conf_that_breaks_off_or_has_the_word_as_a_password_is_read(tmp_path: Path, end: str) -> None:
    (tmp_path / "auth.conf").write_text(f"machine a.example login apt password debian\n{end}\n")
    assert with_login("https://a.example/debian", tmp_path) == "https://apt:debian@a.example/debian"


def test_apts_proxies_are_those_of_its_archives_and_of_no_other_host(root: Path) -> None:
    ubuntu(root)
    proxies = (
        'Acquire::http::Proxy "http://proxy.example:3128";\n'
        'Acquire { http { Proxy { mine.example "DIRECT"; }; }; };\n'
        'Acquire::https::Proxy "http://tls.example:3128";\n'
    )
    write(root, "etc/apt/apt.conf.d/90proxy", proxies)
    sources = "deb http://mine.example/debian bookworm main\ndeb https://fixes.example/debian-security x main\n"
    write(root, "etc/apt/sources.list", sources)
    known = Mirrors.from_environment(root=root).proxies()
    assert known["http://archive.example"] == "http://proxy.example:3128"
    assert known["http://mine.example"] == ""
    assert known["https://fixes.example"] == "http://tls.example:3128"
    assert not {
        "https://" + public_places.url(role).split("/")[2] for role in ("ubuntu-releases", "conda-forge")
    } & set(known)
    assert 'Acquire::http::proxy "http://proxy.example:3128";' in apt_proxy.configuration(root)


def test_a_program_that_finds_the_proxy_is_asked_as_apt_does(root: Path) -> None:
    ubuntu(root)
    write(root, "usr/bin/find-proxy", '#!/bin/sh\necho "http://found.example:8080"\n')
    (root / "usr/bin/find-proxy").chmod(0o755)
    write(root, "etc/apt/apt.conf.d/auto", f'Acquire::http::Proxy-Auto-Detect "{root}/usr/bin/find-proxy";\n')
    assert Mirrors.from_environment(root=root).proxies()["http://archive.example"] == "http://found.example:8080"


def test_without_a_proxy_of_apts_the_environment_decides(root: Path) -> None:
    ubuntu(root)
    assert Mirrors.from_environment(root=root).proxies() == {}
