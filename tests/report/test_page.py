"""The page: one file that needs nothing else, and says everything in words too."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest
from trees import install_deb, put

from rigforge.artifacts.artifact import Attachment, Digest, Result
from rigforge.artifacts.stamp import Stamp
from rigforge.errors import RigforgeError
from rigforge.layers.build import Cache, keep_seconds
from rigforge.layers.plan import plan
from rigforge.lock.model import read
from rigforge.report.build_report import BuildReport, gather
from rigforge.report.page import duration, render, write
from rigforge.report.verification import Unfinished, Verification
from rigforge.rules.sizes import in_words
from rigforge.stack.load import load

SMOKE = load("smoke")
LOCK = read(SMOKE.lock_path)
BASE, _, HOST, *_ = plan(SMOKE, LOCK)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """A cache in which `base` and `host` of the stack smoke are built."""
    made = Cache(tmp_path / "home")
    install_deb(made.rootfs(BASE), "bash", {"/bin/bash": 1_300_000})
    install_deb(made.rootfs(HOST), "linux-image-6.1.0-56-amd64", {"/boot/vmlinuz": 8_000_000})
    put(made.rootfs(HOST), "boot/initrd.img", 40_000_000)
    keep_seconds(made.made(BASE), 83.0)
    return made


@pytest.fixture
def report(cache: Cache, tmp_path: Path) -> BuildReport:
    return gather(SMOKE, LOCK, cache, tmp_path / "out")


def html(report: BuildReport, folder: Path = Path("out")) -> str:
    return render(report, folder)


def words(text: str) -> str:
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", text, flags=re.DOTALL).split())


def tree(text: str) -> ElementTree.Element:
    """The body, which is well-formed XML."""
    return ElementTree.fromstring(text[text.index("<body>") : text.index("</body>") + len("</body>")])


def test_layers_and_packages_are_measured(report: BuildReport) -> None:
    found = {(each.layer, each.name): each for each in report.packages}
    assert found["base", "bash"].size >= 1_300_000
    assert found["base", "bash"].version == next(file.version for file in LOCK.files if file.name == "bash")
    assert found["host", ""].size >= 40_000_000


def test_what_is_not_built_is_said(report: BuildReport) -> None:
    assert report.missing == ("medium",)
    assert "Not built yet, and not counted here: medium." in words(html(report))


def test_nothing_built_is_an_error_with_the_command_that_builds(tmp_path: Path) -> None:
    with pytest.raises(RigforgeError, match="nothing of stack smoke is built yet") as error:
        gather(SMOKE, LOCK, Cache(tmp_path), tmp_path)
    assert error.value.hint == "build it first: invoke build-iso --stack smoke"


def test_the_page_loads_nothing(report: BuildReport) -> None:
    text = html(report)
    assert not re.search(r"<script|<link|<img|@import|url\(|src=|https?://", text)


def test_every_section_heading_table_and_picture_has_its_name(report: BuildReport) -> None:
    body = tree(html(report))
    ids = {element.get("id") for element in body.iter() if element.get("id")}
    labels = [element.get("aria-labelledby", "").split() for element in body.iter() if element.get("aria-labelledby")]
    assert labels and {label for each in labels for label in each} <= ids
    pictures = list(body.iter("svg"))
    assert len(pictures) == 2
    for picture in pictures:
        assert picture.get("role") == "img"
        assert picture.findtext("title") and "host" in (picture.findtext("desc") or "")
    for table in body.iter("table"):
        assert {head.get("scope") for head in table.iter("th")} == {"col", "row"}


def test_steps_have_their_times_or_are_not_measured(report: BuildReport) -> None:
    text = words(html(report))
    assert "layer base 1 min 23 s" in text
    assert "layer host not measured" in text
    assert "fetching not measured" in text
    assert "1 min 23 s in 1 of 3 steps" in text


def test_fetching_and_writing_the_iso_are_steps(cache: Cache, tmp_path: Path) -> None:
    entry = {"seconds": 12.0, "files": {file.sha256: file.size for file in LOCK.files}}
    put(cache.directory, "store/fetches.jsonl").write_text(json.dumps(entry) + "\n")
    iso = tmp_path / "out/rigforge-smoke.iso"
    iso.parent.mkdir()
    iso.touch()
    Stamp("c0ffee", "layout", 17.5).put(iso)
    text = words(html(gather(SMOKE, LOCK, cache, iso.parent)))
    assert "fetching 12.0 s" in text
    assert "writing rigforge-smoke.iso 17.5 s" in text


def test_text_from_files_is_no_markup(report: BuildReport) -> None:
    assert "<b>&" not in html(replace(report, description="<b>& more"))
    assert "<b>& more" in (tree(html(replace(report, description="<b>& more"))).findtext(".//p[@class='lead']") or "")


def test_links_are_relative_to_the_page(report: BuildReport, tmp_path: Path) -> None:
    iso = tmp_path / "out" / "rigforge-my stack.iso"
    result = Result(
        {"ISO": 10**9}, (Digest(iso.name, 10**9, f"sha256:{'ab' * 32}"),), (), (Attachment("install medium", iso),)
    )
    text = html(replace(report, results=(result,)), tmp_path / "out" / "reports")
    assert 'href="../rigforge-my%20stack.iso"' in text
    assert f"sha256:{'ab' * 32}" in text


def test_an_iso_without_a_checksum_file_is_told_so(report: BuildReport, tmp_path: Path) -> None:
    results = (Result(digests=(Digest("rigforge-smoke.iso", 1, ""),)),)
    assert "no checksum file has it" in html(replace(report, results=results), tmp_path)


def test_a_verification_of_another_medium_is_told_so(report: BuildReport, tmp_path: Path) -> None:
    results = (Result(medium="c0ffee"), Result())
    tested = Verification("machine, bios (kvm)", 30, 0, 0, (), 300.0, 20.0, "2026-11-23", "c0ffee")
    same = replace(report, results=results, verifications=(tested,))
    other = replace(report, results=results, verifications=(replace(tested, of="0ld"),))
    assert "another medium" not in html(same, tmp_path)
    assert "another medium (0ld)" in html(other, tmp_path)


def test_failed_and_unfinished_verifications_stand_out(report: BuildReport, tmp_path: Path) -> None:
    failed = Verification("machine, bios (kvm)", 29, 1, 0, ("test_ssh::test_it: assert",), 300.0, 20.0, "", "")
    page = html(replace(report, verifications=(failed, Unfinished("machine, uefi", tmp_path))), tmp_path)
    states = [element.get("class") for element in tree(page).iter("article")]
    assert states == ["outcome failed", "outcome unfinished"]
    assert "test_ssh::test_it: assert" in page and "tests failed" in page


def test_the_file_is_written_whole_into_a_new_folder(report: BuildReport, tmp_path: Path) -> None:
    output = tmp_path / "new" / "report.html"
    write(report, output)
    assert output.read_text().endswith("</html>\n")
    assert list(output.parent.iterdir()) == [output]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "not measured"), (0.04, "0.0 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (3720, "1 h 02 min")],
)
def test_durations_read_well(seconds: float | None, said: str) -> None:
    assert duration(seconds) == said


def test_sizes_read_well() -> None:
    assert [in_words(count) for count in (999, 36_864, 192_344_064, 4_808_568_832)] == [
        "999 B",
        "37 kB",
        "192.3 MB",
        "4.81 GB",
    ]
