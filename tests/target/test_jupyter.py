"""What JupyterLab is started with: a token that is nobody else's, and a certificate where others reach it."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rigforge.state import PROJECT
from rigforge.target import jupyter


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home/.config/rigforge"


def test_the_token_is_made_once_for_its_owner_alone(folder: Path) -> None:
    file = jupyter.token_file(folder)
    token = file.read_text()
    assert re.fullmatch("[0-9a-f]{48}", token)
    assert (mode(file), mode(folder)) == (0o600, 0o700)
    assert jupyter.token_file(folder).read_text() == token


@pytest.mark.parametrize("text", ["", "\n", "  \n"])
def test_an_empty_token_would_open_jupyter_to_everybody_and_is_replaced(folder: Path, text: str) -> None:
    folder.mkdir(parents=True)
    (folder / "jupyter-token").write_text(text)
    assert len(jupyter.token_file(folder).read_text()) == 48


def test_a_token_of_the_users_own_stays_without_the_newline_that_jupyter_would_take_for_a_part(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "jupyter-token").write_text("correct-horse-battery\n")
    file = jupyter.token_file(folder)
    assert file.read_text() == "correct-horse-battery"
    assert mode(file) == 0o600


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jupyter, "own_addresses", lambda: ["192.0.2.7", "2001:db8::7"])
    monkeypatch.setattr(jupyter.socket, "gethostname", lambda: "gpubox")
    monkeypatch.setattr(jupyter.socket, "getfqdn", lambda: "gpubox.lab.example")


@pytest.mark.usefixtures("addresses")
def test_the_certificate_has_every_name_and_address_and_its_key_is_the_owners_alone(folder: Path) -> None:
    made, key = jupyter.certificate(folder)
    shown = subprocess.check_output(["openssl", "x509", "-in", made, "-noout", "-ext", "subjectAltName"], text=True)
    names = {name.strip() for name in shown.splitlines()[1].split(",")}
    assert names == {
        *("DNS:gpubox", "DNS:gpubox.local", "DNS:gpubox.lab.example", "DNS:localhost"),
        *("IP Address:127.0.0.1", "IP Address:0:0:0:0:0:0:0:1", "IP Address:192.0.2.7"),
        "IP Address:2001:DB8:0:0:0:0:0:7",
    }
    assert mode(key) == 0o600
    of_key = subprocess.check_output(["openssl", "pkey", "-in", key, "-pubout"])
    assert subprocess.check_output(["openssl", "x509", "-in", made, "-noout", "-pubkey"]) == of_key


@pytest.mark.usefixtures("addresses")
def test_a_good_certificate_stays_and_one_that_ends_soon_is_replaced(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = jupyter.certificate(folder)
    first = made.read_text()
    jupyter.certificate(folder)
    assert made.read_text() == first
    monkeypatch.setattr(jupyter, "RENEWED", jupyter.VALID + 1)
    jupyter.certificate(folder)
    assert made.read_text() != first


def test_only_lasting_addresses_that_lead_out_count() -> None:
    lasting, passing = {"local": "2001:db8::7"}, {"local": "2001:db8::f00d", "temporary": True}
    interfaces = [
        {"ifname": "eno1", "addr_info": [{"local": "192.0.2.7"}, lasting, passing]},
        {"ifname": "docker0", "addr_info": [{"local": "172.17.0.1"}]},
        {"ifname": "eno2"},
    ]
    assert jupyter.global_addresses(interfaces, [{"dev": "eno1"}]) == ["192.0.2.7", "2001:db8::7"]
    assert "172.17.0.1" in jupyter.global_addresses(interfaces, [])


@pytest.mark.parametrize("listen", ["", "localhost", "lan"])
def test_it_becomes_jupyterlab_and_tells_the_token_to_no_one_by_its_command_line(tmp_path: Path, listen: str) -> None:
    """As the unit runs it, with a JupyterLab that shows what it was given."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to(sys.executable)
    (tmp_path / "jupyterlab").mkdir()
    shown = 'import os, sys\n\n\ndef main():\n    print(*sys.argv)\n    print(os.environ["JUPYTER_TOKEN_FILE"])\n'
    (tmp_path / "jupyterlab/labapp.py").write_text(shown)
    # An address at once, which a test's machine need not have.
    (tmp_path / "bin/ip").write_text('#!/bin/sh\necho \'[{"ifname": "e", "addr_info": [{"local": "192.0.2.7"}]}]\'\n')
    (tmp_path / "bin/ip").chmod(0o755)
    environment = {
        "HOME": str(tmp_path),
        "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
        "PYTHONPATH": str(tmp_path),
        **({"RIGFORGE_JUPYTER_LISTEN": listen} if listen else {}),
    }
    program = [sys.executable, "-I", PROJECT / "rigforge/target/jupyter.py"]
    words, file = subprocess.check_output(program, env=environment, text=True, stderr=subprocess.PIPE).splitlines()
    token = Path(file).read_text()
    assert token and token not in words
    options = words.split()
    assert options[:3] == ["jupyter-lab", "--no-browser", "--port=8888"]
    if listen == "lan":
        assert "--ip=*" in options
        assert all(Path(option.split("=")[1]).exists() for option in options[4:6])
        assert [option.split("=")[0] for option in options[4:]] == ["--certfile", "--keyfile"]
    else:
        assert options[3:] == ["--ip=127.0.0.1"]
