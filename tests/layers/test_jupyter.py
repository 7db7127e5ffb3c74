"""What a machine with JupyterLab gets, and that one without gets nothing."""

from __future__ import annotations

import configparser
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rigforge.layers.plan import Layer, plan
from rigforge.layers.recipes import jupyter
from rigforge.layers.root import Root
from rigforge.lock.model import read
from rigforge.stack.load import load

ENVIRONMENT = "/opt/rigforge/python"


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[Any]]:
    """What was run inside the root, which is none that could run it."""
    commands: list[Sequence[Any]] = []
    monkeypatch.setattr(Root, "chroot", lambda self, argv, **env: commands.append(argv) or "")
    return commands


def root(folder: Path) -> Root:
    logo = folder / ENVIRONMENT.lstrip("/") / "share/jupyter/kernels/python3/logo-svg.svg"
    logo.parent.mkdir(parents=True)
    logo.write_text("<svg/>")
    return Root(folder, folder, {}, 0)


def host(stack: str) -> Layer:
    found = load(stack)
    return next(layer for layer in plan(found, read(found.lock_path)) if layer.name == "host")


def test_the_service_is_every_users_and_the_first_one_needs_no_login(tmp_path: Path, ran: list[Sequence[Any]]) -> None:
    jupyter.add(root(tmp_path), ENVIRONMENT, "Python 3.11, PyTorch 2.10")
    assert ["systemctl", "--global", "enable", "jupyter.service"] in ran
    assert ["systemctl", "enable", "rigforge-linger.service"] in ran
    unit = configparser.RawConfigParser(strict=False)
    unit.read(tmp_path / "etc/systemd/user/jupyter.service")
    assert unit["Unit"]["ConditionUser"] == "!@system"
    assert unit["Service"]["Restart"] == "always"
    for path in ("usr/bin/rigforge-python", "usr/lib/rigforge/rigforge/machine/jupyter.py"):
        assert f"/{path}" in (tmp_path / "etc/systemd/user/jupyter.service").read_text()
        assert (tmp_path / path).exists()
    assert (tmp_path / "usr/bin/rigforge-python").stat().st_mode & 0o777 == 0o755


def test_the_kernel_has_a_name_to_recognise_it_by(tmp_path: Path, ran: list[Sequence[Any]]) -> None:
    jupyter.add(root(tmp_path), ENVIRONMENT, "Python 3.11, PyTorch 2.10")
    folder = tmp_path / "usr/share/rigforge/jupyter/kernels/python3"
    kernel = json.loads((folder / "kernel.json").read_text())
    assert kernel["display_name"] == "Python 3.11, PyTorch 2.10"
    assert kernel["argv"][0] == "/usr/bin/rigforge-python"
    assert (folder / "logo-svg.svg").read_text() == "<svg/>" and not (folder / "logo-svg.svg").is_symlink()


def test_a_stack_without_jupyterlab_gets_nothing(tmp_path: Path, ran: list[Sequence[Any]]) -> None:
    jupyter.add(root(tmp_path), "", "")
    assert ran == []
    assert not (tmp_path / "etc").exists()


def test_the_plan_tells_where_jupyterlab_is_and_what_is_in_it() -> None:
    assert host("smoke").options_by_name["jupyter_environment"] == ""
    options = host("debian-12").options_by_name
    assert options["jupyter_environment"] == ENVIRONMENT
    assert options["jupyter_kernel"] == "Python 3.11, PyTorch 2.10"


def test_another_series_of_pytorch_rebuilds_the_machine_by_its_kernels_name() -> None:
    stack = load("debian-12")
    lock = read(stack.lock_path)
    newer = replace(lock, versions={**lock.versions, "pytorch": "2.14.1"})
    keys = [{layer.name: layer.key for layer in plan(stack, each)}["host"] for each in (lock, newer)]
    assert keys[0] != keys[1]
