"""user-data as the installer judges it: by cloud-init's own schema of that release, said in plain words."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from rigforge.autoinstall.subiquity import cloud_config_schema, cloud_init
from rigforge.autoinstall.subiquity.document import Finding, table
from rigforge.autoinstall.subiquity.schema_error import dotted, faults, nearest

if TYPE_CHECKING:
    import jsonschema

_KEY = "user-data"


def errors(data: dict[str, Any], release: str, *, offline: bool = False) -> Iterator[Finding]:
    """Yields why a release's installer refuses user-data, and what of it could not be looked at.

    With `offline` no cloud-init package is downloaded.
    """
    names = cloud_config_schema.names(release)
    for name in (name for name in data if name not in names):
        near = nearest(str(name), names)
        hint = f"did you mean {near}?" if near else "see cloud-init's module reference"
        yield Finding("error", f"{_KEY}.{name}", "cloud-init knows no such key", hint)
    values = {name: value for name, value in data.items() if name in names}
    if not values:
        return
    oldest = Version(table("cloud_config")["oldest"])
    package = cloud_init.find(cloud_config_schema.judge(release), oldest, offline=offline)
    if package is None:
        yield Finding(
            "unchecked",
            _KEY,
            "its values were not looked at: no cloud-init package is at hand, whose schema says what they may be",
            "run it once with a network and without --offline: the package is only read, and kept",
        )
        return
    validator = _validator(package, release)
    try:
        for fault in faults(validator.iter_errors(values)):
            yield Finding("error", f"{_KEY}{dotted(fault.path)}", fault.message, fault.hint)
    except TypeError:  # cloud-init's own way to say that a key is no string where keys have a form.
        yield Finding("error", _KEY, "a key in it is no string", "put keys that are numbers or true in quotes")


@cache
def _validator(package: cloud_init.Package, release: str) -> jsonschema.protocols.Validator:
    # It takes longer to import than a build takes in which nothing has changed.
    from jsonschema import Draft4Validator, FormatChecker, validators

    # As cloud-init has it: `content: !!binary …` is a string too.
    string_or_bytes = Draft4Validator.TYPE_CHECKER.redefine("string", lambda _, value: isinstance(value, str | bytes))
    formats = FormatChecker(formats=())
    for name in table("cloud_config")["formats"][release]:
        formats.checks(name)(_FORMATS[name])
    schema = cloud_config_schema.of_release(package, release)
    types: dict[str, Any] = {"type_checker": string_or_bytes}
    if release in table("cloud_config")["beside_references"]:
        of_cloud_init = validators.create(Draft4Validator.META_SCHEMA, Draft4Validator.VALIDATORS, **types)
        return of_cloud_init(schema, format_checker=formats)
    extend: Callable[..., type[Draft4Validator]] = validators.extend
    return extend(Draft4Validator, **types)(schema, format_checker=formats)


def _is_date(value: object) -> bool:
    try:
        return not isinstance(value, str) or bool(datetime.datetime.strptime(value, "%Y-%m-%d"))
    except ValueError:
        return False


def _is_hostname(value: object) -> bool:
    """As jsonschema 3.2 has it."""
    if not isinstance(value, str):
        return True
    form = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{1,255}", value)
    return bool(form) and all(len(label) <= 63 for label in value.split("."))


_FORMATS = {"date": _is_date, "hostname": _is_hostname}
