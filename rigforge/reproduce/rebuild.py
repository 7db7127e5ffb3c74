"""Builds a stack here and elsewhere, and compares what comes out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rigforge import artifacts, console, namespace
from rigforge.artifacts.artifact import Artifact, Product
from rigforge.attest.provenance import REVISION, revision
from rigforge.console import step
from rigforge.errors import RigforgeError
from rigforge.layers.build import Cache
from rigforge.lock.model import Lock
from rigforge.options import the_artifact
from rigforge.paths import PROJECT, home
from rigforge.process import run
from rigforge.reproduce import contents, varied_build
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.model import Stack
from rigforge.store.store import Store

#: The values of the machine for which is built.
SITE = Path(__file__).with_name("site.toml")

#: Bytes of a report of diffoscope.
_LONGEST = 1 << 20


@dataclass(frozen=True)
class Comparison:
    """Two builds: the sha256 (hex) of each artifact by its name, and the directory with diffoscope's reports."""

    first: Mapping[str, str]
    second: Mapping[str, str]
    reports: Path

    @property
    def differing(self) -> list[str]:
        """The artifacts that are not the same."""
        return contents.differing(self.first, self.second)

    def table(self) -> dict[str, dict[str, str | bool | None]]:
        """Returns {artifact: {first, second, same}}; None is an artifact that one build has not."""
        names = sorted(self.first.keys() | self.second.keys())
        pairs = {name: (self.first.get(name), self.second.get(name)) for name in names}
        return {name: {"first": one, "second": two, "same": one == two} for name, (one, two) in pairs.items()}


def compare(stack: Stack, lock: Lock, mirrors: Mirrors, out: Path, *, offline: bool = False) -> Comparison:
    """Builds the stack here, with whatever earlier builds have left, and elsewhere from a vendored directory alone.

    Both name the commit that the checkout is at now, whatever is committed while they run.
    Where all is the same, nothing of it is kept; else `out` has both results, and diffoscope's report of what differs.
    Where the build elsewhere fails, `out` has its logs.
    """
    os.environ[REVISION] = revision()
    shutil.rmtree(out, ignore_errors=True)
    first, second, reports = out / "first", out / "second", out / "reports"
    compared = artifacts.of(lock)
    for artifact in compared:
        the_artifact(artifact, stack, lock, mirrors, offline=offline, out=str(first / artifact.folder))
    store = Store(home() / "store")
    store.fetch(lock.files, mirrors, offline=offline)
    console.say("Elsewhere:\n" + "\n".join(f"  {condition}" for condition in varied_build.CONDITIONS))
    trial = home() / "elsewhere"
    namespace.remove_tree(trial)
    trial.mkdir(parents=True)
    commands = [_command(artifact) for artifact in compared]
    try:
        built = varied_build.build(commands, stack, lock, store, trial, Cache(home()).log("elsewhere"))
        with step("comparing"):
            comparison = Comparison(contents.digests(first), contents.digests(built), reports)
        if comparison.differing:
            shutil.copytree(built, second)
    except RigforgeError:
        # What its messages refer to goes with the trial.
        for name in ("logs", "bugs"):
            if (folder := trial / "home" / name).exists():
                shutil.copytree(folder, out / "elsewhere" / name)
        raise
    finally:
        namespace.remove_tree(trial)
    if comparison.differing:
        _explain(comparison, first, second)
    else:
        shutil.rmtree(out)
    return comparison


def _command(artifact: Artifact[Product]) -> list[str]:
    """Returns the task that builds an artifact elsewhere, and its arguments for `varied_build.build`."""
    site = ["--site", str(SITE.relative_to(PROJECT))] if artifact.of_site else []
    folder = "/".join(filter(None, ("{out}", artifact.folder)))
    return [artifact.task, *site, "--stack", "{stack}", "--mirror", "{mirror}", "--out", folder]


def _explain(comparison: Comparison, first: Path, second: Path) -> None:
    """Writes diffoscope's report of each artifact that differs, innermost first."""
    if not shutil.which("diffoscope"):
        console.warn("diffoscope is not installed: nothing says what differs within the artifacts")
        return
    comparison.reports.mkdir()
    for name in contents.innermost(comparison.differing):
        plain = name.replace("/", "_").replace(":", "_")
        with step(f"what differs in {name}"):
            pair = [contents.extract(one, name, one / f".{plain}") for one in (first, second)]
            if all(pair):
                report = comparison.reports / f"{plain}.txt"
                limit = str(_LONGEST)
                run(["diffoscope", "--text", report, "--max-text-report-size", limit, *filter(None, pair)], check=False)
