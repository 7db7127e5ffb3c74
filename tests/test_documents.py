"""What documents point to is there: files, headings, files named in the text, tasks."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path

from rigforge.paths import PROJECT

DOCUMENTS = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").glob("*.md")])

#: Written after what links to it.
PROMISED = {PROJECT / "docs" / "architecture.md"}

#: Named by where they are on a medium.
ON_A_MEDIUM = {"rigforge/medium.json"}

LINK = re.compile(r"\]\(([^()\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"(?:bench|dockerfiles|docs|image_tests|packer|rigforge|stacks|tests)/[\w./-]*")
TASK = re.compile(r"(?:\./bootstrap|\binvoke) ([a-z][a-z-]+)")


def prose(document: Path) -> str:
    """The text of a document without its fenced and indented blocks, in which brackets mean other things."""
    return re.sub(r"^```.*?^```", "", re.sub(r"(?m)^    .*$", "", document.read_text()), flags=re.MULTILINE | re.DOTALL)


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(document: Path) -> Iterator[str]:
    for target in LINK.findall(prose(document)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (document.parent / name).resolve() if name else document
        if file in PROMISED and not file.exists():
            continue
        if not file.exists() or (anchor and anchor not in anchors(file)):
            yield f"{document.relative_to(PROJECT)}: {target}"


def missing_files(document: Path) -> Iterator[str]:
    """Yields what the text names as a file of the project, and is none; names with placeholders are not looked at."""
    for code in CODE.findall(prose(document)):
        if not FILE.fullmatch(code) or re.search("[A-Z]{3}", code) or code in ON_A_MEDIUM:
            continue
        if not (PROJECT / code).exists():
            yield f"{document.relative_to(PROJECT)}: {code}"


def test_every_link_leads_to_a_file_and_a_heading() -> None:
    assert [broken for document in DOCUMENTS for broken in broken_links(document)] == []


def test_every_file_that_the_text_names_is_there() -> None:
    assert [missing for document in DOCUMENTS for missing in missing_files(document)] == []


def test_every_task_that_is_named_is_one() -> None:
    known = {name.replace("_", "-") for name in runpy.run_path(str(PROJECT / "tasks.py"))["__all__"]}
    named = {(document.name, task) for document in DOCUMENTS for task in TASK.findall(document.read_text())}
    assert [pair for pair in sorted(named) if pair[1] not in known] == []


def test_the_readme_leads_to_every_document() -> None:
    readme = PROJECT / "README.md"
    linked = {(PROJECT / target.partition("#")[0]).resolve() for target in LINK.findall(prose(readme))}
    assert [str(document.relative_to(PROJECT)) for document in DOCUMENTS if document not in {readme, *linked}] == []
