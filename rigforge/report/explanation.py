"""The page on what goes with what: the picture of the set that was chosen, or of those that would do."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from rigforge import __version__, atomic
from rigforge.compat.conflict import conflict
from rigforge.compat.reasons import reasons
from rigforge.compat.render import cards, headline, left_out
from rigforge.compat.solution import Solution
from rigforge.compat.tables import tables
from rigforge.report.graph import graph
from rigforge.report.page import environment


def write(answer: Solution, output: Path) -> None:
    """Writes the page on an answer."""
    output.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(output, render(answer))


def render(answer: Solution) -> str:
    """Returns the page on an answer, as HTML."""
    sets = [("What was chosen", answer)] if answer.combination else []
    sets += [(f"Without {' and '.join(left_out(answer.request, each.request))}", each) for each in answer.alternatives]
    return (
        environment()
        .get_template("explain.html.j2")
        .render(
            css=Markup(Path(__file__).with_name("page.css").read_text()),
            version=__version__,
            headline=headline(answer),
            cards=cards(answer),
            verdict=answer.verdict,
            conflict=conflict(answer),
            sets=[(title, graph(each), reasons(each)) for title, each in sets],
            as_of=tables().as_of,
        )
    )
