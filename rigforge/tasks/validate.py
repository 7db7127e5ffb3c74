"""Autoinstall documents."""

from __future__ import annotations

from pathlib import Path

from invoke.context import Context

from rigforge.cli import task
from rigforge.errors import RigforgeError, UsageError
from rigforge.tasks.parameters import JSON, OFFLINE


@task(
    help={
        "file": "autoinstall document (YAML)",
        "release": "Ubuntu's installer of 22.04, 24.04 (default) or 26.04; debian: Rigforge's own, on its Debian media",
        "firmware": "of the machines: uefi or bios (default: both)",
        "as_": "how the document comes to the installer: iso (a file on the medium), cmdline (one that "
        "subiquity.autoinstallpath= names), nocloud (user-data that cloud-init reads)",
        "sources": "casper/install-sources.yaml of the medium, to look the document's source up in",
        "strict": "warnings count as errors",
        **OFFLINE,
        "json": JSON,
    }
)
def validate(
    context: Context,
    file: str,
    release: str = "24.04",
    firmware: str = "",
    as_: str = "",
    sources: str = "",
    strict: bool = False,
    offline: bool = False,
    json: bool = False,
) -> None:
    """
    Check that an autoinstall document is one that the installer accepts, and that nobody regrets.

    The exit code is 1 where the installer would refuse it.

    Example: invoke validate my-autoinstall.yaml --release 26.04
    """
    import json as to_json
    from dataclasses import asdict

    from rigforge.autoinstall.subiquity.accepted import RELEASES
    from rigforge.autoinstall.subiquity.boot import FIRMWARES
    from rigforge.autoinstall.subiquity.check import check
    from rigforge.autoinstall.subiquity.delivery import WAYS
    from rigforge.autoinstall.subiquity.document import Finding
    from rigforge.autoinstall.subiquity.install_sources import ids
    from rigforge.installer.document import DocumentError, parse

    if release == "debian":
        try:
            parse(Path(file).read_text(encoding="utf-8"), file)
        except (OSError, UnicodeDecodeError) as error:
            raise RigforgeError(f"{file} cannot be read: {error}") from error
        except DocumentError as error:
            raise RigforgeError(error.message, error.hint) from error
        print(f"valid: {file}")
        return
    for option, value, choices in (
        ("release", release, (*RELEASES, "debian")),
        ("firmware", firmware or FIRMWARES[0], FIRMWARES),
        ("as", as_ or WAYS[0], WAYS),
    ):
        if value not in choices:
            raise UsageError(f"--{option} {value} is not known", f"it is one of: {', '.join(choices)}")
    source_ids = ids(Path(sources)) if sources else None
    try:
        findings = check(
            Path(file),
            release,  # type: ignore[arg-type]
            source_ids,
            (firmware,) if firmware else FIRMWARES,  # type: ignore[arg-type]
            as_ or None,  # type: ignore[arg-type]
            offline=offline,
        )
    except RigforgeError as error:
        if not json:
            raise
        findings = (Finding("error", "", error.message, error.hint),)
    refused = any(finding.level == "error" for finding in findings)
    unknown = not refused and any(finding.level == "unchecked" for finding in findings)
    verdict = "refused" if refused else "not known whether accepted" if unknown else "accepted"
    if json:
        accepted = None if unknown else not refused
        print(to_json.dumps({"accepted": accepted, "findings": [asdict(item) for item in findings]}, indent=2))
    else:
        for finding in findings:
            place = f"{file}:{finding.line}" if finding.line else file
            print(f"{place}: {finding.level}: {finding.key}: {finding.message}")
            if finding.hint:
                print(f"    {finding.hint}")
        print(f"{verdict} by the installer of {release}: {file}")
    if refused or (strict and findings):
        raise SystemExit(1)
