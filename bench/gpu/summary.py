"""The run on one page, for a note or docs/: what was run, how it ended, and the figures that count."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.gpu.steps import Run


def write(results: Path, run: Run) -> None:
    """Writes summary.json and summary.md."""
    answers = {name: _read(results / f"{name}.json") for name in ("doctor", "explain", "burn-in", "tune")}
    steps = [vars(outcome) for outcome in run.done]
    (results / "summary.json").write_text(json.dumps({"seconds": round(run.seconds, 1), "steps": steps}, indent=2))
    lines = [
        "# A run of bench/gpu",
        "",
        *_machine(answers["doctor"]),
        "",
        "| step | how it ended | seconds |",
        "|---|---|---|",
    ]
    lines += [f"| {outcome.name} | {outcome.how} | {outcome.seconds:.0f} |" for outcome in run.done]
    lines += ["", *_findings(answers), "", *_figures(answers)]
    (results / "summary.md").write_text("\n".join(lines) + "\n")


def _read(file: Path) -> dict[str, Any]:
    try:
        answer = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _machine(doctor: dict[str, Any]) -> Iterator[str]:
    machine = doctor.get("machine", {})
    gpus = ", ".join(gpu["name"] for gpu in machine.get("gpus", ())) or "no GPU"
    yield f"{gpus}; driver {machine.get('driver') or '–'}, CUDA {machine.get('cuda') or '–'}; {machine.get('system')}"


def _findings(answers: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yields what is not well, by the step that said so."""
    for name, answer in answers.items():
        for check in (*answer.get("checks", ()), *answer.get("findings", ())):
            if check["status"] in ("warning", "failed"):
                yield f"- {name}, {check.get('id', 'finding')}: {check.get('measured') or check.get('message')}"


def _figures(answers: dict[str, dict[str, Any]]) -> Iterator[str]:
    for gpu in answers["burn-in"].get("gpus", ()):
        yield f"- burn-in: {json.dumps({name: gpu[name] for name in gpu if name not in ('series', 'samples')})[:2000]}"
    for gpu in answers["tune"].get("gpus", ()):
        yield f"- tune: {json.dumps(gpu)[:2000]}"
