"""A notebook in a real browser: the JupyterLab that `runtime` holds, and a machine has, computes with PyTorch."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rigforge.verify.iso import free_port
from tests.end_to_end.browser import ENTER, SHIFT, Page, chromium
from tests.end_to_end.chain import OUT, rigforge, usable

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def image(daemon: None, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image in a daemon (an hour where the layers are not there yet, else five minutes)."""
    stack = usable("debian-12", tmp_path_factory.mktemp("notebook"))
    options = ("--image", "runtime", "--load", "--engine", "docker", "--out", OUT / "images")
    return rigforge("build-images", "--stack", stack, *options).split()[1]


@pytest.fixture
def jupyterlab(image: str) -> Iterator[str]:
    """The address, with its token, of JupyterLab in a container."""
    port = free_port()
    # The daemon of the tests has no network to forward ports from.
    network = ["--network", "host", "--env", "RIGFORGE_GPU_CHECK=off"]
    command = ["docker", "run", "--rm", *network, image, "jupyter", "--ip=127.0.0.1", f"--port={port}"]
    container = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert container.stderr
        said = []
        for line in container.stderr:
            said.append(line)
            if "is running at" in line:
                break
        address = re.search(r"http://127.0.0.1:\d+/lab\?token=\w+", "".join(said))
        assert address, "".join(said)
        yield address[0]
    finally:
        container.terminate()
        container.communicate(timeout=60)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with chromium(tmp_path) as opened:
        yield opened


def test_a_cell_computes_with_pytorch(jupyterlab: str, page: Page, tmp_path: Path) -> None:
    page.open(jupyterlab)
    page.click('.jp-LauncherCard[data-category="Notebook"]')
    # Before its kernel is there, JupyterLab runs nothing.
    page.find('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
    page.type(".jp-Notebook .cm-content", "import torch; print(torch.ones(2).sum())")
    page.type(".jp-Notebook .cm-content", SHIFT + ENTER)
    shown = page.text(".jp-OutputArea-output")
    page.save(OUT / "notebook.png")
    assert shown.strip() == "tensor(2.)"


def test_without_the_token_there_is_only_the_login(jupyterlab: str, page: Page) -> None:
    page.open(jupyterlab.partition("?")[0])
    assert page.find("#password_input")
