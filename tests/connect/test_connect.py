"""From a laptop to a machine's Jupyter, through a real SSH server; every way in which that fails is told."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rigforge.paths import PROJECT
from rigforge.verify.iso import free_port
from tests.connect.gpubox import Machine

TASK = (sys.executable, "-m", "rigforge.cli", "connect")
ALONE = (sys.executable, "-S", "-m", "rigforge.connect")


def connect(machine: Machine, *arguments: str, program: tuple[str, ...] = TASK) -> subprocess.CompletedProcess[str]:
    """The command, where it ends by itself."""
    command = [*program, *arguments]
    return subprocess.run(command, cwd=PROJECT, env=machine.variables, capture_output=True, text=True, timeout=120)


@contextmanager
def connected(
    machine: Machine, *arguments: str, program: tuple[str, ...] = TASK
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command while it stays, and the address that it printed."""
    command = [*program, "gpubox", "--no-browser", *arguments]
    process = subprocess.Popen(
        command,
        cwd=PROJECT,
        env=machine.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout and process.stderr
        address = process.stdout.readline().strip()
        assert address, process.stderr.read()
        yield process, address
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("program", [TASK, ALONE], ids=["task", "without the environment"])
def test_the_address_leads_to_jupyter_with_its_token(machine: Machine, program: tuple[str, ...]) -> None:
    machine.runs_jupyter(token="fedcba9876543210")
    with connected(machine, program=program) as (process, address):
        page, token = address.split("/lab?token=")
        assert token == "fedcba9876543210"
        assert urllib.request.urlopen(f"{page}/api", timeout=20).status == 200
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert process.returncode == 0
        assert "Closed" in said and token not in said


def test_a_server_that_sleeps_is_woken_and_asked_again(machine: Machine) -> None:
    machine.has_jupyter_that_sleeps()
    with connected(machine) as (_, address):
        assert address.endswith("/lab?token=awake")


def test_code_leaves_it_asleep(machine: Machine) -> None:
    machine.has_jupyter_that_sleeps()
    assert connect(machine, "gpubox", "--code").returncode == 0
    assert '"token": "asleep"' in (machine.folder / "runtime/jpserver-1.json").read_text()


def test_the_port_here_can_be_chosen(machine: Machine) -> None:
    machine.runs_jupyter()
    port = free_port()
    with connected(machine, "--port", str(port)) as (_, address):
        assert address.startswith(f"http://127.0.0.1:{port}/lab?token=")


def test_a_server_with_a_password_has_no_token_in_its_address(machine: Machine) -> None:
    machine.runs_jupyter(token="")
    with connected(machine) as (_, address):
        assert address.endswith("/lab")


def test_nothing_is_left_running_on_the_machine(machine: Machine) -> None:
    machine.runs_jupyter()
    with connected(machine) as (process, _):
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    mine = subprocess.run(["pgrep", "--full", "exec.json.loads.*" + str(machine.port)], capture_output=True)
    assert mine.returncode == 1
    sessions = subprocess.run(["pgrep", "--parent", str(machine.sshd.pid)], capture_output=True)
    assert sessions.stdout == b""


def test_code_prints_what_opens_the_home_in_visual_studio_code(machine: Machine) -> None:
    done = connect(machine, "gpubox", "--code")
    assert done.returncode == 0
    words = done.stdout.split()
    assert words[:3] == ["code", "--remote", "ssh-remote+gpubox"]
    assert words[3].startswith("/")


def test_a_tunnel_that_dies_is_told(machine: Machine) -> None:
    machine.runs_jupyter()
    with connected(machine) as (process, _):
        subprocess.run(["pkill", "--parent", str(machine.sshd.pid)], check=True)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "error: the connection to gpubox has ended" in said and "Traceback" not in said


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: ") and "\nhint: " in done.stderr and "Traceback" not in done.stderr
    return done.stderr


def test_a_machine_that_is_off(machine: Machine) -> None:
    machine.configure(Port=str(free_port()))
    assert "gpubox is there, but has no SSH server" in complaint(connect(machine, "gpubox"))


def test_a_name_that_nobody_has(machine: Machine) -> None:
    machine.configure(HostName="gpubox.invalid")
    assert "no machine is called gpubox" in complaint(connect(machine, "gpubox"))


def test_a_stranger_is_not_let_in(machine: Machine) -> None:
    (machine.folder / "authorized_keys").write_text("")
    assert "gpubox does not let you in (ssh: " in complaint(connect(machine, "gpubox"))


def test_a_machine_that_is_not_known_yet(machine: Machine) -> None:
    (machine.laptop / "known_hosts").write_text("")
    assert "the host key of gpubox was not accepted" in complaint(connect(machine, "gpubox"))


def test_a_machine_that_was_installed_anew(machine: Machine) -> None:
    other = (machine.laptop / "id.pub").read_text()
    (machine.laptop / "known_hosts").write_text(f"[127.0.0.1]:{machine.port} {other}")
    assert "gpubox shows another host key" in complaint(connect(machine, "gpubox"))


def test_a_machine_without_jupyter(machine: Machine) -> None:
    assert "no Jupyter of yours runs on gpubox" in complaint(connect(machine, "gpubox", "--no-browser"))


def test_a_server_that_has_ended_counts_as_none(machine: Machine) -> None:
    machine.runs_jupyter()
    ended = subprocess.Popen(["true"])
    ended.wait()
    file = machine.folder / "runtime/jpserver-1.json"
    file.write_text(file.read_text().replace('"pid": ', f'"pid": {ended.pid}, "was": '))
    assert "no Jupyter of yours runs on gpubox" in complaint(connect(machine, "gpubox", "--no-browser"))


def test_a_server_that_does_not_answer(machine: Machine) -> None:
    machine.runs_jupyter().server_close()
    assert "Jupyter on gpubox does not answer" in complaint(connect(machine, "gpubox", "--no-browser"))


def test_a_machine_that_forwards_no_ports(machine: Machine) -> None:
    machine.runs_jupyter()
    keys = machine.folder / "authorized_keys"
    keys.write_text(f"no-port-forwarding {keys.read_text()}")
    assert "the SSH server of gpubox forwards no ports" in complaint(connect(machine, "gpubox", "--no-browser"))


def test_a_port_that_is_taken(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"port {port} of this computer is taken" in complaint(connect(machine, "gpubox", "--port", port))


def test_a_laptop_without_ssh(machine: Machine) -> None:
    machine.variables["PATH"] = str(machine.folder)
    assert "there is no ssh on this computer" in complaint(connect(machine, "gpubox"))


@pytest.mark.parametrize("arguments", [("",), ("-oProxyCommand=true",), ("a b",), ("gpubox", "--port", "http")])
def test_what_is_no_machine_or_port_is_a_wrong_command_line(machine: Machine, arguments: tuple[str, ...]) -> None:
    for program in (TASK, ALONE):
        assert connect(machine, *arguments, program=program).returncode == 2
