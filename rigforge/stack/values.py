"""The kinds of text that a stack holds, and what each of them must look like."""

from __future__ import annotations

import re
from typing import Annotated, TypeVar

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, Strict

from rigforge.rules import disk_match, names, ssh_keys

T = TypeVar("T")

#: A TOML array, kept as a tuple.
Several = Annotated[tuple[T, ...], Strict(False)]

#: Characters; Python reads no number of more than 4300 digits.
_LONGEST = 4096


def _text(pattern: str, meaning: str) -> AfterValidator:
    """Accepts text that matches `pattern` as a whole; others must be `meaning`."""

    def check(value: str) -> str:
        if len(value) > _LONGEST or not re.fullmatch(pattern, value, re.ASCII):
            raise ValueError(f"must be {meaning}")
        return value

    return AfterValidator(check)


def _hostname(value: str) -> str:
    if not names.is_hostname(value):
        raise ValueError(
            "must be a host name (RFC 1123: letters, digits and inner hyphens; "
            "63 characters between dots, 64 in all on Linux)"
        )
    return value


def _ssh_key(value: str) -> str:
    if "PRIVATE KEY" in value:
        raise ValueError("is a private key; the public one is in the file that ends in .pub")
    if not ssh_keys.is_public_key(value):
        raise ValueError('must be one whole line of an OpenSSH public key file ("ssh-ed25519 AAAA… comment")')
    return value


def _port(value: str) -> str:
    match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?/(tcp|udp)", value)
    first_port, last_port = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= first_port <= last_port <= 65535:
        raise ValueError('must be a port or a range of ports, and tcp or udp: "8888/tcp", "60000-61000/udp"')
    return value


def _python_package(value: str) -> str:
    try:
        requirement = Requirement(value)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f'must be a Python requirement such as "numpy" or "numpy>=2" ({reason})') from None
    if requirement.url:
        raise ValueError("must be a package of the index: the lock cannot name a URL")
    return value


def _pytorch_version(value: str) -> str:
    try:
        if value not in ("", "auto"):
            Version(value)
    except InvalidVersion:
        raise ValueError('must be a version such as "2.10.0", or "auto"') from None
    return value


Name = Annotated[str, _text(r"[a-z][a-z0-9-]*", "a lower-case name")]
Role = Annotated[
    str, _text(r"[a-z][a-z0-9-]*", 'a role such as "debian"; addresses are in the configuration of the machine')
]
Suite = Annotated[
    str, _text(r"/|[a-z0-9][a-z0-9.+/-]*", 'a suite such as "bookworm-updates", or "/" for a flat archive')
]
Snapshot = Annotated[str, _text(r"\d{8}T\d{6}Z", 'a time such as "20261101T000000Z"')]
Fingerprint = Annotated[
    str,
    AfterValidator(lambda value: value.replace(" ", "").upper()),
    _text(r"[0-9A-F]{40}", "the 40 hex digits of a key's fingerprint"),
]
Component = Annotated[str, _text(r"[a-z][a-z0-9/-]*", 'a component such as "main"')]
AptPackage = Annotated[
    str, _text(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+]", "the name of an apt package (its version is in the lock)")
]
Unit = Annotated[str, _text(r"[A-Za-z0-9:_.@-]+", "the name of a systemd unit")]
PythonPackage = Annotated[str, AfterValidator(_python_package)]
CondaPackage = Annotated[
    str,
    _text(
        r"[a-z0-9_][a-z0-9_.-]*( ?[=<>!~][^\s:\[\]]*| [^\s:\[\]]+){0,2}",
        'a conda package such as "numpy" or "numpy >=2" (the channel is the machine\'s affair)',
    ),
]
EnvironmentName = Annotated[
    str, _text(r"(?!base$)[A-Za-z0-9_][A-Za-z0-9_.-]*", 'the name of a conda environment other than "base"')
]
DriverVersion = Annotated[
    str, _text(r"(\d{3}(\.\d+)*(-[a-z]+)*)?", 'a driver version ("535.309.01") or branch ("580-server-open")')
]
CudaVersion = Annotated[str, _text(r"(auto|\d+(\.\d+)+)?", 'numbers with dots, such as "12.8", or "auto"')]
NumericVersion = Annotated[str, _text(r"(\d+(\.\d+)+)?", 'numbers with dots, such as "12.8"')]
PythonVersion = Annotated[str, _text(r"(3\.\d+)?", 'a Python series such as "3.11"')]
PytorchVersion = Annotated[str, AfterValidator(_pytorch_version)]
SourceAddress = Annotated[
    str,
    # Without a user's name or password: whoever has the image reads its labels.
    _text(
        r"(https?|git|ssh)://[^\s/@:]+(:\d+)?(/[^\s@]*)?",
        'an address such as "https://git.lab/gpu/stacks", with no user in it',
    ),
]
VolumeId = Annotated[str, _text(r"[A-Z0-9_-]{1,32}", "1 to 32 characters of A-Z, 0-9, _ and -")]

Hostname = Annotated[str, AfterValidator(_hostname)]
Username = Annotated[
    str, _text(names.USERNAME, "a user name: a-z, 0-9, _ and -, no digit first, at most 32 characters")
]
Port = Annotated[str, AfterValidator(_port)]
FullName = Annotated[str, _text(r"[^:,=\n]*", "one line without : , and =")]
SshKey = Annotated[str, AfterValidator(_ssh_key)]
PasswordHash = Annotated[
    str,
    _text(
        r"(\$(2[aby]|5|6|7|y|gy)(\$[./A-Za-z0-9=,]+){2,4})?",
        "a password's hash as crypt(5) has it, never the password (`mkpasswd -m yescrypt` makes one)",
    ),
]
Card = Annotated[str, _text(r"[^\x00-\x1f\x7f]{1,100}", 'the name of a card such as "RTX 5090"')]
Locale = Annotated[
    str, _text(r"(C|POSIX|[a-z]{2,3}(_[A-Z]{2})?)(\.[A-Za-z0-9-]+)?(@[a-z]+)?", 'a locale such as "en_US.UTF-8"')
]
Keyboard = Annotated[str, _text(r"[A-Za-z0-9_,-]*", 'an XKB name such as "us" or "dvorak"')]
TimeZone = Annotated[str, _text(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", 'a time zone such as "Europe/Berlin"')]
DevicePath = Annotated[str, _text(disk_match.DEVICE, 'a path or glob under /dev, such as "/dev/disk/by-id/nvme-*"')]
