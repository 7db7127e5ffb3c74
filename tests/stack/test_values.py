"""A value that can never work is refused when the stack is read, not on the machine."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from pydantic import ValidationError

from rigforge.stack.model import Stack

ARCHIVE = {"role": "debian", "suite": "bookworm", "components": ["main"], "keyring": "debian-archive-keyring.gpg"}
PYTHON = {"provider": "system", "version": "3.11"}
CUDA = {"provider": "pypi", "version": "12.8"}
PYTORCH = {"provider": "pypi", "version": "2.10.0"}
CONDA = {"provider": "conda", "version": "3.12"}
BY_CONDA = {"provider": "conda", "version": "12.8"}
BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAIHFOLLgStd87Z3/Fqhh+qFlWFqcm6tITPhrwFEn63Id6"


def stack(**sections: Any) -> Stack:
    start = {
        "system": {"distribution": "debian", "suite": "bookworm"},
        "archives": [ARCHIVE],
        "kernel": {"package": "linux-image-amd64"},
    }
    return Stack.model_validate({**start, **sections})


def refusal(**sections: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        stack(**sections)
    return caught.value.errors()[0]["msg"]


@pytest.mark.parametrize("name", ["gpu1", "GPU-1", "a", "1st", "node.lab.example", "x" * 63])
def test_a_host_name_is_one_of_rfc_1123(name: str) -> None:
    assert stack(machine={"hostname": name}).machine.hostname == name


@pytest.mark.parametrize("name", ["", "-gpu", "gpu-", "gpu_1", "gpu 1", "a..b", "gpu\n", "x" * 64, "ab." * 30 + "c"])
def test_others_are_refused(name: str) -> None:
    assert "RFC 1123" in refusal(machine={"hostname": name})


@pytest.mark.parametrize("name", ["", "Ada", "1ada", "ada lovelace", "ada:x", "a" * 33, "ada\n"])
def test_a_user_name_that_useradd_would_refuse(name: str) -> None:
    assert "user name" in refusal(machine={"username": name})


@pytest.mark.parametrize("port", ["8888/tcp", "51820/udp", "60000-61000/udp", "1/tcp", "65535/tcp"])
def test_a_port_is_a_number_or_a_range_with_its_protocol(port: str) -> None:
    assert stack(firewall={"open": [port]}).firewall.open == (port,)


@pytest.mark.parametrize("port", ["", "88", "ssh/tcp", "0/tcp", "65536/tcp", "9-8/tcp", "1/sctp", "1/tcp }", "1/udp\n"])
def test_what_is_no_port_never_reaches_the_firewall(port: str) -> None:
    assert '"8888/tcp"' in refusal(firewall={"open": [port]})


class TestSshKey:
    @pytest.mark.parametrize(
        "line", [f"ssh-ed25519 {BLOB} ada@example", f"ssh-ed25519 {BLOB}", f'from="10.0.0.*" ssh-ed25519 {BLOB} ada']
    )
    def test_is_a_line_of_authorized_keys(self, line: str) -> None:
        assert stack(machine={"ssh_authorized_keys": [line]}).machine.ssh_authorized_keys == (line,)

    @pytest.mark.parametrize(
        "line",
        [
            "",
            "ssh-ed25519",
            BLOB,
            f"ssh-dss {BLOB}",
            f"ssh-rsa {BLOB}",
            f"ssh-ed25519 {BLOB[:-3]}",
            "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519").decode(),
            f"ssh-ed25519 {BLOB}\nssh-ed25519 {BLOB}",
        ],
        ids=["empty", "no key", "no type", "dss", "other type", "cut short", "nothing in it", "two lines"],
    )
    def test_that_is_broken_is_refused(self, line: str) -> None:
        assert "one whole line" in refusal(machine={"ssh_authorized_keys": [line]})

    def test_that_is_the_private_half_is_refused(self) -> None:
        assert "ends in .pub" in refusal(machine={"ssh_authorized_keys": ["-----BEGIN OPENSSH PRIVATE KEY-----"]})


class TestPassword:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "$y$j9T$abcdefgh./$0123456789abcdefABCDEF./",
            "$6$rounds=5000$salt$abcdef./",
            "$2b$12$abcdefghijklmnopqrstuv",
        ],
    )
    def test_is_a_hash_or_nothing(self, text: str) -> None:
        assert stack(machine={"password_hash": text}).machine.password_hash == text

    @pytest.mark.parametrize("text", ["secret", "$6$", "$6$secret", "$1$salt$abcdef", "*", "$6$a$b c"])
    def test_as_plain_text_is_refused(self, text: str) -> None:
        assert "never the password" in refusal(machine={"password_hash": text})


@pytest.mark.parametrize("section", ["driver", "cuda", "pytorch", "python"])
class TestProvider:
    def test_none_goes_with_no_version(self, section: str) -> None:
        version = "3.11" if section == "python" else "535.1"
        assert 'provider "none" brings no version' in refusal(**{section: {"version": version}})

    def test_another_needs_one(self, section: str) -> None:
        provider = {"driver": "apt", "python": "system"}.get(section, "pypi")
        assert f'provider "{provider}" needs a version' in refusal(**{section: {"provider": provider}})


@pytest.mark.parametrize("wish", ["numpy", "numpy >=2", "numpy 2.*", "numpy=2.3=py312_0", "libstdcxx-ng >=12,<15"])
def test_a_conda_package_is_a_match_spec(wish: str) -> None:
    assert stack(python={**CONDA, "conda_packages": [wish]}).python.conda_packages == (wish,)


@pytest.mark.parametrize("wish", ["", "NumPy", "conda-forge::numpy", "http://host/x.conda", "numpy[build=x]", "a\nb"])
def test_one_with_a_channel_or_an_address_is_refused(wish: str) -> None:
    assert "must be a conda package" in refusal(python={**CONDA, "conda_packages": [wish]})


@pytest.mark.parametrize("name", ["base", "", "a b", "../x"])
def test_an_environment_of_conda_has_a_plain_name_of_its_own(name: str) -> None:
    assert "must be the name of a conda environment" in refusal(python={**CONDA, "environment": name})


class TestWhatNeedsEachOther:
    def test_pytorch_with_its_cuda_in_an_environment(self) -> None:
        whole = stack(cuda=CUDA, cudnn={"version": "9.10.2.21"}, pytorch=PYTORCH, python=PYTHON)
        assert whole.pytorch.version == "2.10.0"

    @pytest.mark.parametrize(
        ("sections", "reason"),
        [
            ({"pytorch": PYTORCH, "python": PYTHON}, "PyTorch comes with its CUDA"),
            ({"cuda": CUDA, "python": PYTHON}, "PyTorch comes with its CUDA"),
            ({"cuda": CUDA, "pytorch": PYTORCH}, "PyTorch needs a Python environment"),
            ({"cudnn": {"version": "9.10.2.21"}}, 'cudnn.version is given, but cuda.provider is "none"'),
            ({"python": {"packages": ["numpy"]}}, "makes no environment"),
            ({"devel": {"python_packages": ["numpy"]}}, "need a Python environment"),
            ({"python": {**PYTHON, "conda_packages": ["numpy"]}}, 'python.provider = "conda"'),
            ({"devel": {"conda_packages": ["cuda-nvcc"]}}, 'python.provider = "conda"'),
            ({"cuda": BY_CONDA, "pytorch": BY_CONDA, "python": PYTHON}, 'needs python.provider = "conda"'),
            (
                {"cuda": BY_CONDA, "pytorch": BY_CONDA, "python": {**CONDA, "packages": ["torchvision"]}},
                "which do not know of conda's PyTorch",
            ),
            ({"driver": {"dkms": True}}, "no module to rebuild"),
            ({"storage": {"passphrase": "x"}}, 'layout "direct" encrypts nothing'),
            ({"storage": {"layout": "lvm", "passphrase": "x"}}, 'layout "lvm" encrypts nothing'),
            ({"secure_boot": {"key": "mok.key"}}, "go together"),
            ({"secure_boot": {"certificate": "mok.pem"}}, "go together"),
            ({"services": {"enable": ["ssh", "docker"], "disable": ["ssh"]}}, "enabled as well: ssh"),
        ],
    )
    def test_is_refused_by_half(self, sections: dict[str, Any], reason: str) -> None:
        assert reason in refusal(**sections)


def test_a_passphrase_may_come_later_than_its_layout() -> None:
    """Locking and listing need none: where it is still missing, the medium's document is refused."""
    assert stack(storage={"layout": "luks"}).storage.passphrase == ""


class TestArchives:
    def test_one_role_has_several_suites(self) -> None:
        assert len(stack(archives=[ARCHIVE, {**ARCHIVE, "suite": "bookworm-updates"}]).archives) == 2

    def test_a_suite_of_a_role_is_there_once(self) -> None:
        twice = [ARCHIVE, {**ARCHIVE, "components": ["contrib"]}]
        assert "debian bookworm is there twice" in refusal(archives=twice)

    def test_the_systems_suite_is_among_them(self) -> None:
        assert 'none has the suite "bookworm"' in refusal(archives=[{**ARCHIVE, "suite": "trixie"}])

    def test_there_is_one(self) -> None:
        assert refusal(archives=[])

    def test_a_role_is_no_address(self) -> None:
        assert "must be a role" in refusal(archives=[{**ARCHIVE, "role": "http://127.0.0.1/debian"}])


@pytest.mark.parametrize(
    "sections",
    [
        {"medium": {"countdown": -1}},
        {"medium": {"volume_id": "X" * 33}},
        {"medium": {"volume_id": "lower"}},
        {"images": {"source": "git.lab/gpu"}},
        {"images": {"source": "https://ada:secret@git.lab/gpu"}},
        {"medium": {"volume_id": ""}},
        {"medium": {"zstd_level": 23}},
        {"system": {"distribution": "debian", "suite": "bookworm", "architecture": "arm64"}},
        {"packages": {"host": ["less=590-2"]}},
        {"packages": {"host": ["less-"]}},
        {"packages": {"host": ["--purge"]}},
        {"python": {**PYTHON, "version": "3.11.2"}},
        {"python": {**PYTHON, "packages": ["numpy=2"]}},
        {"python": {**PYTHON, "packages": ["x @ http://127.0.0.1/x.whl"]}},
        {"driver": {"provider": "apt", "version": "latest"}},
        {"machine": {"full_name": "Ada:Lovelace"}},
        {"machine": {"locale": "english"}},
        {"machine": {"timezone": "Europe Berlin"}},
        {"storage": {"match": [{"path": "sda"}]}},
        {"storage": {"match": [{"size": "big"}]}},
        {"install": {"late_commands": [""]}},
        {"install": {"shutdown": "halt"}},
        {"services": {"enable": ["ssh; true"]}},
    ],
)
def test_other_values_that_cannot_work(sections: dict[str, Any]) -> None:
    assert refusal(**sections)
