"""What the installer accepts, and people regret: each warning says what will happen, and its cure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rigforge.autoinstall.subiquity.accepted import Release
from rigforge.autoinstall.subiquity.document import DOUBTFUL, ENDS, NOT_DONE, Document, Finding
from rigforge.autoinstall.subiquity.lint import commands, ignored, login, storage
from rigforge.autoinstall.subiquity.lint.finding import mapping, warning

_HOSTNAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
#: The installer adds .UTF-8 to a language and a country.
_LOCALE = re.compile(r"[a-z]{2,3}_[a-z]{2}(\.utf-?8)?(@[a-z]+)?|C(\.utf-?8)?", re.IGNORECASE)


def warnings(document: Document, release: Release) -> Iterator[Finding]:
    """Yields what is doubtful about a document that a release's installer may well accept."""
    sections = document.sections
    for key in document.repeated:
        yield warning(key, "it is there twice, and only the last counts", "keep one", NOT_DONE)
    yield from ignored.warnings(sections, release)
    yield from login.warnings(sections)
    yield from storage.warnings(sections)
    yield from commands.warnings(sections)
    yield from _endings(sections)
    if sections.get("interactive-sections"):
        hint = "remove it to install unattended"
        yield warning("interactive-sections", "the installer stops there and asks", hint, NOT_DONE)
    if isinstance(sections.get("version"), float):
        yield warning("version", "it is 1.0", "version: 1")
    locale = sections.get("locale")
    if isinstance(locale, str) and not _LOCALE.fullmatch(locale):
        yield warning("locale", f"{locale!r} is no locale of UTF-8, and nobody checks it", "such as en_US.UTF-8")
    hostname = mapping(sections.get("identity")).get("hostname")
    if isinstance(hostname, str) and not _HOSTNAME.fullmatch(hostname):
        yield warning("identity.hostname", f"{hostname!r} is no host name", "letters, digits and -", NOT_DONE)


def _endings(sections: dict[str, Any]) -> Iterator[Finding]:
    """Yields what ends the installation on some machine, or in some network."""
    fallback = mapping(sections.get("apt")).get("fallback")
    if fallback == "abort":
        message = "where no mirror answers, the installation ends"
        yield warning("apt.fallback", message, "fallback: offline-install, which is the default", ENDS)
    elif fallback == "continue-anyway":
        message = "where no mirror answers, the installation goes on, and ends at the first package"
        yield warning("apt.fallback", message, "fallback: offline-install, which is the default", ENDS)
    oem, source = mapping(sections.get("oem")).get("install"), mapping(sections.get("source")).get("id")
    # Nothing said is "auto", and that is for desktops alone.
    asked = oem is True or ("desktop" in str(source) if source else oem == "auto")
    if mapping(sections.get("kernel")) and asked and oem is not False:
        message = "on certified hardware the installation ends: the maker's packages want a kernel of their own"
        yield warning("kernel", message, "oem: {install: false}", ENDS)
    elif oem is True:
        message = "on certified hardware the maker's kernel is installed, from the network"
        yield warning("oem.install", message, "install: false", DOUBTFUL)
    proxy = sections.get("proxy")
    if isinstance(proxy, str) and proxy and not re.match(r"https?://", proxy):
        yield warning("proxy", f"{proxy!r} is no address of a proxy", "http://HOST:PORT", ENDS)
