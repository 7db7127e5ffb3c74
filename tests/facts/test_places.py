"""Places that are asked: a package index, archives, NVIDIA; and what does not answer."""

from __future__ import annotations

import http.server
import io
import re
import threading
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import requests

from rigforge.compat.tables import tables
from rigforge.errors import RigforgeError
from rigforge.facts import nvidia, places, pypi, report, snapshot
from rigforge.facts.archives import Archives
from rigforge.facts.remote_zip import archive

CODE = b"\0" * 200_000 + b"sm_50 sm_75 sm_86 sm_120\0"


def wheel(*required: str) -> bytes:
    """Returns a wheel whose metadata requires that, and which has a library of PyTorch."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        made.writestr("torch/lib/libtorch_python.so", CODE)
        lines = "".join(f"Requires-Dist: {each}\n" for each in required)
        made.writestr("demo-1.dist-info/METADATA", f"Metadata-Version: 2.1\nName: demo\n{lines}\nText\n")
    return content.getvalue()


class Served(http.server.BaseHTTPRequestHandler):
    """Answers with files, by ranges where they are asked for."""

    files: dict[str, bytes]
    sent: list[int]
    ranges = True
    url = ""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        content = self.files.get(self.path)
        wanted = re.match(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if content is None:
            self.send_error(404)
            return
        if wanted and self.ranges:
            content = content[int(wanted[1]) : int(wanted[2]) + 1]
        self.send_response(206 if wanted and self.ranges else 200)
        self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "application/octet-stream")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.sent.append(len(content))
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def served() -> Iterator[type[Served]]:
    ours = type("Ours", (Served,), {"files": {}, "sent": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), ours)
    ours.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield ours
    server.shutdown()
    server.server_close()


def index(served: type[Served], projects: dict[str, dict[str, bytes]]) -> pypi.PackageIndex:
    for project, wheels in projects.items():
        links = "".join(f'<a href="/files/{name}">{name}</a>' for name in wheels)
        served.files[f"/simple/{project}/"] = f"<html><body>{links}</body></html>".encode()
        served.files |= {f"/files/{name}": content for name, content in wheels.items()}
    return pypi.PackageIndex(f"{served.url}/simple", requests.Session())


def test_of_a_wheel_only_the_parts_that_are_read_are_fetched(served: type[Served]) -> None:
    served.files["/a.whl"] = wheel("nvidia-cudnn-cu13==9.26.0.51")
    with archive(f"{served.url}/a.whl", requests.Session()) as found:
        assert b"9.26.0.51" in found.read("demo-1.dist-info/METADATA")
    assert sum(served.sent) < len(served.files["/a.whl"])


def test_a_server_without_ranges_is_an_error_and_no_download(served: type[Served]) -> None:
    served.files["/a.whl"], served.ranges = wheel(), False
    with pytest.raises(RigforgeError, match="is not sent in ranges"):
        archive(f"{served.url}/a.whl", requests.Session())


def test_an_index_says_what_the_wheels_pin(served: type[Served]) -> None:
    pins = ("nvidia-cudnn-cu13==9.26.0.51 ; platform_system == 'Linux'", "nvidia-nccl-cu13==2.30.7")
    torch = wheel("cuda-toolkit[cudart,cublas]==13.2.2", *pins, "numpy")
    ours = index(
        served,
        {
            "torch": {
                "torch-2.15.0-cp312-cp312-manylinux_2_28_x86_64.whl": torch,
                "torch-2.15.0-cp313-cp313-manylinux_2_28_x86_64.whl": torch,
                "torch-2.15.0-cp313-cp313t-manylinux_2_28_x86_64.whl": torch,
                "torch-2.15.0-cp312-cp312-win_amd64.whl": b"",
                "torch-1.13.1-cp310-cp310-manylinux1_x86_64.whl": b"",
                "torch-2.16.0rc1-cp312-cp312-manylinux_2_28_x86_64.whl": b"",
            },
            "cuda-toolkit": {"cuda_toolkit-13.0.3.0-py2.py3-none-any.whl": wheel("nvidia-cuda-runtime==13.0.96.*")},
            "cudnn": {"nvidia_cudnn_cu13-9.9.0.1-py3-none-manylinux_2_27_x86_64.whl": b""},
            "nccl": {
                "nvidia_nccl_cu13-2.9.1-py3-none-manylinux_2_18_x86_64.whl": b"",
                "nvidia_nccl_cu13-2.30.7-py3-none-manylinux_2_18_x86_64.whl": b"",
            },
        },
    )
    places = {"torch": "torch", "toolkit": "cuda-toolkit", "cudnn": {"13": "cudnn"}, "nccl": ["nccl"], "since": "2.0"}
    assert pypi.observe(ours, places) == {
        "torch": {
            "2.15.0": {"cuda": "13.2.2", "cudnn": "9.26.0.51", "nccl": "2.30.7", "python": ["3.12", "3.13"]},
        },
        "toolkit": {"13.0.3": "13.0.96"},
        "cudnn": {"13": ["9.9.0.1"]},
        "nccl": ["2.9.1", "2.30.7"],
    }
    (url,) = {next(iter(files.values())) for files in ours.wheels("torch").values() if len(files) > 1}
    assert ours.architectures(url) == ("5.0", "7.5", "8.6", "12.0")


def test_nvidias_json_is_read_and_something_else_is_an_error(served: type[Served]) -> None:
    served.files |= {
        "/releases": b'{"580": {"driver_info": [{"release_version": "580.95.05"}, {"release_version": "580.178.04"}]}}',
        "/13.0.3": b'{"cuda_cudart": {"version": "13.0.96"}, "nvidia_driver": {"version": "580.126.20"}}',
        "/page": b"<html>sign in first</html>",
    }
    url = served.url
    assert nvidia.branches(requests.Session(), f"{url}/releases") == {"580": "580.178.04"}
    assert nvidia.toolkits(requests.Session(), f"{url}/{{version}}", ["13.0.3"]) == {
        "13.0.3": {"runtime": "13.0.96", "driver": "580.126.20"},
    }
    with pytest.raises(RigforgeError, match="is not JSON"):
        nvidia.branches(requests.Session(), f"{url}/page")


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which no place answers."""

    def silent(*_: object, **__: object) -> None:
        raise requests.ConnectionError("no route to host")

    monkeypatch.setattr(pypi, "observe", silent)
    monkeypatch.setattr(nvidia, "branches", silent)
    monkeypatch.setattr(nvidia, "toolkits", silent)
    monkeypatch.setattr(Archives, "drivers", silent)
    monkeypatch.setattr(Archives, "pci_ids", silent)


@pytest.mark.usefixtures("deaf")
def test_what_does_not_answer_is_listed_and_never_passed() -> None:
    asked: list[str] = []
    answers = places.ask_all(tables(), snapshot.places(), date(2026, 11, 30), asked.append)
    assert answers.seen == {}
    assert [*answers.unanswered] == asked
    assert {
        "pypi",
        "pci-ids",
        "nvidia branches",
        "nvidia toolkits",
        "archive debian trixie",
        "archive ubuntu noble",
    } <= set(asked)
    told = report.run(ask=True, update=False, say=asked.append)
    assert not told.good
    assert f"did not answer: {len(answers.unanswered)}" in told.lines
    assert "  nvidia branches: ConnectionError: no route to host" in told.lines


def test_without_a_network_the_snapshot_is_compared_and_is_said_to_be_one() -> None:
    told = report.run(ask=False, update=False, say=lambda text: pytest.fail(text))
    assert told.good
    assert "disagrees: nothing" in told.lines
    assert "asked: nothing, this is the snapshot" in told.lines


def test_a_place_that_has_no_host_on_this_machine_is_one_that_did_not_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from rigforge.sources.mirrors import Mirrors

    nowhere = Mirrors({}, config=tmp_path / "config.toml")
    with pytest.raises(RigforgeError, match="nothing on this machine says where the archive `debian` is"):
        Archives(nowhere, requests.Session(), snapshot.places()).pci_ids()
