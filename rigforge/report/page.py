"""The page itself: the report's numbers in words, and the template filled with them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from rigforge import __version__, atomic
from rigforge.artifacts.artifact import Step
from rigforge.plain import in_page
from rigforge.report.build_report import BuildReport
from rigforge.report.disk_usage import PackageSize
from rigforge.report.treemap import Group, Slice, treemap
from rigforge.report.verification import Unfinished, Verification
from rigforge.rules.sizes import in_words

#: Rows of the table of packages.
LARGEST = 25

#: Width and height of the treemap, on a screen and on a phone held upright.
WIDE, TALL = (960.0, 520.0), (380.0, 640.0)


@dataclass(frozen=True)
class Row:
    """A line of a table: its cells in words, and for a bar beside them how long it is (0 to 100)."""

    cells: tuple[str, ...]
    bar: float = 0.0


@dataclass(frozen=True)
class LayerRow:
    """A layer in its table; `number` is its colour."""

    number: int
    name: str
    packages: str
    size: str
    share: str
    squashfs: str


@dataclass(frozen=True)
class DigestRow:
    """What has a digest, with its size where that is known."""

    name: str
    size: str
    digest: str


@dataclass(frozen=True)
class Outcome:
    """A verification in words; `state` is "passed", "failed" or "unfinished"."""

    subject: str
    state: str
    counts: str
    boot: str
    tests: str
    when: str
    remarks: tuple[str, ...]


def write(report: BuildReport, output: Path) -> None:
    """Writes the page, whole or not at all; its links count from the folder it is in."""
    output.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(output, render(report, output.parent))


def environment() -> jinja2.Environment:
    """Returns what renders the templates of this folder."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=in_page,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render(report: BuildReport, folder: Path) -> str:
    """Returns the page, for a file in `folder`."""
    total = sum(package.size for package in report.packages)
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            css=Markup(Path(__file__).with_name("page.css").read_text()),
            version=__version__,
            stack=report.stack,
            description=report.description,
            archives=report.archives,
            figures=_figures(report, total),
            chain=report.chain,
            graph=report.graph,
            incomplete=_incomplete(report),
            maps=[_map(report, "wide", WIDE), _map(report, "tall", TALL)],
            layers=_layers(report, total),
            largest=_largest(report, total),
            steps=_steps(report.steps),
            measured=_measured(report.steps),
            outcomes=[_outcome(each, report) for each in report.verifications],
            unverified=[] if report.verifications else ["Neither verify-iso nor verify-images has left a result here."],
            digests=_digests(report),
            files=_files(report, folder),
        )
    )


def duration(seconds: float | None) -> str:
    """Returns seconds in words: 42 s, 3 min 05 s, 1 h 02 min."""
    if seconds is None:
        return "not measured"
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def _figures(report: BuildReport, total: int) -> list[tuple[str, str]]:
    tested = [each for each in report.verifications if isinstance(each, Verification)]
    tests = [("tests passed", f"{sum(each.passed for each in tested)}")] if tested else []
    failed = sum(each.failed for each in tested)
    return [
        ("on the disk", in_words(total)),
        ("to download", in_words(report.download)),
        *((name, in_words(size)) for result in report.results for name, size in result.sizes.items()),
        *tests,
        *([("tests failed", str(failed))] if failed else []),
    ]


def _incomplete(report: BuildReport) -> list[str]:
    return [f"Not built yet, and not counted here: {', '.join(report.missing)}."] if report.missing else []


def _map(report: BuildReport, name: str, extent: tuple[float, float]) -> dict[str, object]:
    """What the template draws of one treemap, with the layers that are too small for it in words."""
    by_layer = {layer: [part for part in report.packages if part.layer == layer] for layer in report.layers}
    layers = {
        layer: (in_words(_total(parts)), [Slice(_name(part), part.size, in_words(part.size)) for part in parts])
        for layer, parts in by_layer.items()
    }
    groups: tuple[Group, ...] = treemap(layers, *extent)
    drawn = {group.number for group in groups}
    left_out = [layer for number, layer in enumerate(report.layers, 1) if number not in drawn]
    words = [group.title for group in groups]
    description = f"Layers by size: {', '.join(words)}. The tables below have the same figures."
    if left_out:
        description += f" Too small to be drawn: {', '.join(left_out)}."
    return {
        "name": name,
        "width": extent[0],
        "height": extent[1],
        "groups": [asdict(group) for group in groups],
        "description": description,
    }


def _layers(report: BuildReport, total: int) -> list[LayerRow]:
    squashed = {image.layer: image for image in report.squashfs}
    rows = []
    for number, (layer, group) in enumerate(groupby(report.packages, key=attrgetter("layer")), 1):
        parts = list(group)
        compressed = in_words(squashed[layer].path.stat().st_size) if layer in squashed else "not made"
        count = sum(1 for part in parts if part.name)
        rows.append(
            LayerRow(number, layer, str(count), in_words(_total(parts)), _share(_total(parts), total), compressed)
        )
    return rows


def _largest(report: BuildReport, total: int) -> list[Row]:
    ordered = sorted(report.packages, key=lambda package: -package.size)
    head = ordered[:LARGEST]
    rows = [
        Row(
            (_name(each), each.version, each.layer, in_words(each.size), _share(each.size, total)),
            _percent(each, head[0]),
        )
        for each in head
    ]
    rest = ordered[LARGEST:]
    summed = _total(rest)
    return [*rows, *([Row((f"{len(rest)} more", "", "", in_words(summed), _share(summed, total)))] if rest else [])]


def _percent(package: PackageSize, largest: PackageSize) -> float:
    return round(100 * package.size / max(1, largest.size), 1)


def _steps(steps: Sequence[Step]) -> list[Row]:
    longest = max((step.seconds or 0.0 for step in steps), default=0.0)
    return [
        Row((step.name, duration(step.seconds)), round(100 * (step.seconds or 0.0) / longest, 1) if longest else 0.0)
        for step in steps
    ]


def _measured(steps: Sequence[Step]) -> str:
    seconds = [step.seconds for step in steps if step.seconds is not None]
    return f"{duration(sum(seconds))} in {len(seconds)} of {len(steps)} steps" if seconds else "no step was measured"


def _outcome(verification: Verification | Unfinished, report: BuildReport) -> Outcome:
    if isinstance(verification, Unfinished):
        return Outcome(
            verification.subject, "unfinished", "no result", "", "", "", ("It did not get as far as being tested.",)
        )
    remarks = list(verification.failures)
    media = [result.medium for result in report.results if result.medium is not None]
    remarks += [
        f"This was another medium ({verification.of}) than the ISO of this report ({medium or 'unknown'})."
        for medium in media
        if verification.of and verification.of != medium
    ]
    return Outcome(
        subject=verification.subject,
        state="failed" if verification.failed else "passed",
        counts=f"{verification.passed} passed, {verification.failed} failed, {verification.skipped} skipped",
        boot=duration(verification.boot) if verification.boot is not None else "",
        tests=duration(verification.tests),
        when=verification.when,
        remarks=tuple(remarks),
    )


def _digests(report: BuildReport) -> list[DigestRow]:
    return [
        DigestRow(f"{report.stack}.lock", "", f"sha256:{report.lock_sha256}"),
        *(
            DigestRow(each.name, in_words(each.size), each.digest or "no checksum file has it")
            for result in report.results
            for each in result.digests
        ),
        *(
            DigestRow(f"{each.layer}.squashfs", in_words(each.path.stat().st_size), f"sha256:{each.sha256}")
            for each in report.squashfs
        ),
    ]


def _files(report: BuildReport, folder: Path) -> list[tuple[str, str, str]]:
    """What each file beside the page is, the link to it, and its name."""
    files = [file for result in report.results for file in result.files]
    return [(file.title, quote(os.path.relpath(file.path, folder)), file.path.name) for file in files]


def _name(package: PackageSize) -> str:
    return package.name or f"other files of {package.layer}"


def _total(parts: Sequence[PackageSize]) -> int:
    return sum(part.size for part in parts)


def _share(part: int, total: int) -> str:
    return f"{100 * part / max(1, total):.1f} %"
