"""Autoinstall documents."""

from __future__ import annotations

from pathlib import Path

from invoke.context import Context

from rigforge.cli import task
from rigforge.errors import RigforgeError, UsageError
from rigforge.tasks.parameters import JSON


@task(
    help={
        "file": "autoinstall document (YAML)",
        "release": "Ubuntu's installer of 24.04 (default) or 26.04; debian: Rigforge's own, on its Debian media",
        "sources": "casper/install-sources.yaml of the medium, to look the document's source up in",
        "strict": "warnings count as errors",
        "json": JSON,
    }
)
def validate(
    context: Context, file: str, release: str = "24.04", sources: str = "", strict: bool = False, json: bool = False
) -> None:
    """
    Check that an autoinstall document is one that the installer accepts, and that nobody regrets.

    The exit code is 1 where the installer would refuse it.

    Example: invoke validate my-autoinstall.yaml --release 26.04
    """
    import json as to_json
    from dataclasses import asdict

    from rigforge.autoinstall.subiquity.check import check
    from rigforge.autoinstall.subiquity.document import Finding
    from rigforge.autoinstall.subiquity.install_sources import ids
    from rigforge.target.document import DocumentError, parse

    if release == "debian":
        try:
            parse(Path(file).read_text(encoding="utf-8"), file)
        except (OSError, UnicodeDecodeError) as error:
            raise RigforgeError(f"{file} cannot be read: {error}") from error
        except DocumentError as error:
            raise RigforgeError(error.message, error.hint) from error
        print(f"valid: {file}")
        return
    if release not in ("24.04", "26.04"):
        raise UsageError(f"--release {release} is not known", "it is one of: 24.04, 26.04, debian")
    known = ids(Path(sources)) if sources else None
    try:
        findings = check(Path(file), release, known)  # type: ignore[arg-type]
    except RigforgeError as error:
        if not json:
            raise
        findings = (Finding("error", "", error.message, error.hint),)
    refused = any(finding.level == "error" for finding in findings)
    if json:
        print(to_json.dumps({"accepted": not refused, "findings": [asdict(each) for each in findings]}, indent=2))
    else:
        for finding in findings:
            place = f"{file}:{finding.line}" if finding.line else file
            print(f"{place}: {finding.level}: {finding.key}: {finding.message}")
            if finding.hint:
                print(f"    {finding.hint}")
        print(f"{'refused' if refused else 'accepted'} by the installer of {release}: {file}")
    if refused or (strict and findings):
        raise SystemExit(1)
