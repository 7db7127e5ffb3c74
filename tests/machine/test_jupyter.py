"""What JupyterLab is started with: a token that is nobody else's, and a certificate where others reach it."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rigforge.machine import jupyter
from rigforge.paths import PROJECT


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


#: A JupyterLab that shows what it was given, and answers the connection that it was started by.
LAB = """\
import json, os, sys
from tornado.netutil import bind_sockets

def main():
    port = next(int(word.split("=")[1]) for word in sys.argv if word.startswith("--port="))
    connection, _ = bind_sockets(port, "127.0.0.1")[0].accept()
    connection.sendall(json.dumps({"words": sys.argv, "file": os.environ["JUPYTER_TOKEN_FILE"]}).encode())
"""


@contextmanager
def service(home: Path, listen: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """The program as the unit runs it."""
    for package in ("bin", "jupyterlab", "tornado"):
        (home / package).mkdir(parents=True, exist_ok=True)
    (home / "bin/python").unlink(missing_ok=True)
    (home / "bin/python").symlink_to(sys.executable)
    (home / "jupyterlab/labapp.py").write_text(LAB)
    (home / "tornado/netutil.py").write_text("def bind_sockets(port, address):\n    raise OSError('in use')\n")
    # An address at once, which a test's machine need not have.
    (home / "bin/ip").write_text('#!/bin/sh\necho \'[{"ifname": "e", "addr_info": [{"local": "192.0.2.7"}]}]\'\n')
    (home / "bin/ip").chmod(0o755)
    environment = {
        "HOME": str(home),
        "PATH": f"{home}/bin:{os.environ['PATH']}",
        "PYTHONPATH": str(home),
        **({"RIGFORGE_JUPYTER_LISTEN": listen} if listen else {}),
    }
    program = [sys.executable, "-I", PROJECT / "rigforge/machine/jupyter.py"]
    process = subprocess.Popen(program, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def server(home: Path, process: subprocess.Popen[bytes]) -> Any:
    """What `jupyter server list` would read of the service, once it is there."""
    file = home / f".local/share/jupyter/runtime/jpserver-{process.pid}.json"
    end = time.monotonic() + 20
    while not file.exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.01)
    assert mode(file) == 0o600
    return json.loads(file.read_text())


def answer(port: int) -> Any:
    """What the first connection gets."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        return json.loads(connection.makefile().read())


@pytest.mark.parametrize("listen", ["", "localhost", "lan"])
def test_the_first_connection_starts_jupyterlab_and_is_answered_by_it(tmp_path: Path, listen: str) -> None:
    with service(tmp_path, listen) as process:
        asleep = server(tmp_path, process)
        assert asleep["version"] == ""
        said = answer(asleep["port"])
        assert process.wait(20) == 0
    token = Path(said["file"]).read_text()
    assert token == asleep["token"]
    assert token and not any(token in word for word in said["words"])
    assert said["words"][:3] == ["jupyter-lab", "--no-browser", f"--port={asleep['port']}"]
    if listen == "lan":
        assert asleep["url"].startswith("https:")
        assert "--ip=*" in said["words"]
        assert all(Path(option.split("=")[1]).exists() for option in said["words"][4:6])
        assert [option.split("=")[0] for option in said["words"][4:]] == ["--certfile", "--keyfile"]
    else:
        assert said["words"][3:] == ["--ip=127.0.0.1"]


def test_a_second_users_service_takes_the_next_free_port(tmp_path: Path) -> None:
    with service(tmp_path / "one") as one, service(tmp_path / "two") as two:
        ports = [server(tmp_path / "one", one)["port"], server(tmp_path / "two", two)["port"]]
        assert len(set(ports)) == 2
        assert all(jupyter.PORT <= port < jupyter.PORT + jupyter.PORTS for port in ports)


def test_a_service_that_is_stopped_before_anybody_came_is_no_server_any_more(tmp_path: Path) -> None:
    with service(tmp_path) as process:
        server(tmp_path, process)
        process.terminate()
        assert process.wait(20) == 0
    assert list((tmp_path / ".local/share/jupyter/runtime").iterdir()) == []
