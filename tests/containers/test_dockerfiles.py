"""What the Dockerfiles of the three images have in common, each of which stands alone."""

from __future__ import annotations

import re

import pytest

from tests.containers.installed import FILES

FOLDER = FILES.parent
IMAGES = ("base", "runtime", "dev")


def instructions(image: str) -> dict[str, list[str]]:
    """The arguments of each instruction."""
    text = (FOLDER / f"{image}.Dockerfile").read_text()
    lines = re.sub(r"\\\n", "", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    found: dict[str, list[str]] = {}
    for name, arguments in (line.split(maxsplit=1) for line in lines if line):
        found.setdefault(name, []).append(arguments)
    return found


@pytest.mark.parametrize("instruction", ["ARG", "FROM", "ENV", "WORKDIR", "ENTRYPOINT", "CMD"])
def test_the_three_images_agree(instruction: str) -> None:
    first, *others = (instructions(image)[instruction] for image in IMAGES)
    assert others == [first, first]


def test_only_dev_leaves_root() -> None:
    assert {image: instructions(image).get("USER") for image in IMAGES} == {
        "base": None,
        "runtime": None,
        "dev": ["1000"],
    }


@pytest.mark.parametrize("image", IMAGES)
def test_no_copied_file_takes_its_mode_from_the_checkout(image: str) -> None:
    assert all(copy.startswith("--chmod=") for copy in instructions(image)["COPY"])


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("tool", ["apt", "dpkg", "pip", "ldconfig", "curl"])
def test_nothing_is_installed_where_only_the_system_is_there(image: str, tool: str) -> None:
    assert not any(re.search(rf"\b{tool}", run) for run in instructions(image)["RUN"])
