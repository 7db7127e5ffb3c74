"""A set of versions as a picture: what each stands on, and by which rule. All lengths are in units of the picture."""

from __future__ import annotations

from dataclasses import dataclass

from rigforge.compat.gpu import Gpu
from rigforge.compat.rules import Combination
from rigforge.compat.solution import Solution
from rigforge.compat.tables import tables

WIDTH = 760
#: A box: its width, the height of its title and of each line; the room between two rows, in which the edges are.
BOX, TITLE, LINE, GAP = 216, 34, 18, 64
#: Cards that are named; of more, their number is told.
NAMED = 4


@dataclass(frozen=True)
class Box:
    """A component: (x, y) is its upper left corner."""

    title: str
    lines: tuple[str, ...]
    x: int
    y: int

    width = BOX

    @property
    def height(self) -> int:
        """Title, lines, and a margin below them."""
        return TITLE + LINE * len(self.lines) + 6

    @property
    def middle(self) -> int:
        """The x of its middle."""
        return self.x + self.width // 2


@dataclass(frozen=True)
class Edge:
    """From the lower edge of one box to the upper edge of another; `kind` is native, minor-compat or plain."""

    start: Box
    end: Box
    label: str
    kind: str = "plain"


@dataclass(frozen=True)
class Graph:
    """A picture of a set."""

    title: str
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    height: int
    width: int = WIDTH


def graph(answer: Solution) -> Graph | None:
    """Returns the picture of an answer; None of what is impossible."""
    chosen = answer.combination
    if not chosen:
        return None
    driver, wheel, build = chosen.driver, chosen.wheel, chosen.wheel.build
    left, middle, right = 0, (WIDTH - BOX) // 2, WIDTH - BOX
    gpus = Box("GPU", _cards(answer.request.gpus), middle, 0)
    second = gpus.height + GAP
    the_driver = Box(f"driver {driver.version}", (f"{driver.module} kernel module", _support(chosen)), left, second)
    index = "from PyPI" if build.index == "pypi" else f"from PyTorch's index {build.index}"
    pytorch = Box(f"PyTorch {wheel.version}", (index, f"verdict: {answer.verdict}"), right, second)
    third = second + max(the_driver.height, pytorch.height) + GAP
    cuda = Box(f"CUDA {build.cuda}", (_release(chosen),), left, third)
    cudnn = Box(f"cuDNN {build.cudnn}", (f"for CUDA {build.cuda.major}",), middle, third)
    python = Box(f"Python {chosen.python}", (f"wheels for {build.python[0]} to {build.python[-1]}",), right, third)
    return Graph(
        f"{', '.join(_cards(answer.request.gpus))}: {answer.verdict}",
        (gpus, the_driver, pytorch, cuda, cudnn, python),
        (
            Edge(gpus, the_driver, f"drives {_span(driver.branch.compute_capability)}"),
            Edge(gpus, pytorch, "has code for the cards"),
            Edge(the_driver, cuda, answer.verdict, answer.verdict),
            Edge(pytorch, cuda, "made with"),
            Edge(pytorch, cudnn, "made with"),
            Edge(pytorch, python, "runs in"),
        ),
        third + cuda.height + 2,
    )


def _cards(gpus: tuple[Gpu, ...]) -> tuple[str, ...]:
    names = [f"{gpu.name} ({gpu.compute_capability})" for gpu in dict.fromkeys(gpus)]
    more = [f"and {len(names) - NAMED} more"] if len(names) > NAMED else []
    return (*names[:NAMED], *more) or ("any",)


def _support(chosen: Combination) -> str:
    branch = chosen.driver.branch
    return f"{branch.kind}, until {branch.end}" if branch.end else branch.kind


def _release(chosen: Combination) -> str:
    release = tables().release_of(chosen.wheel.build.cuda)
    return f"came with driver {release.driver}" if release else ""


def _span(capabilities: tuple[tuple[int, int], ...]) -> str:
    oldest, newest = (".".join(map(str, capability)) for capability in (capabilities[0], capabilities[-1]))
    return f"{oldest} to {newest}"
