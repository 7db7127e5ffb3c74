"""What conda leaves as it is in the environment that is active: PyTorch, and all that is there as a wheel."""

from __future__ import annotations

import json
import tomllib
from functools import cache
from importlib.metadata import Distribution
from pathlib import Path

from packaging.utils import canonicalize_name

from rigforge import guest
from rigforge.layers.root import Root

#: conda-meta/pinned, which conda and mamba heed (docs.conda.io, "Preventing packages from updating (pinning)"). Whoever
#: is refused a package is told of the pins, and finds the reason here.
PINNED = """\
# conda brings no other build of these into this environment. Those of build pypi_0 are wheels, which it does not see:
# it would write its own over them. What depends on them is installed with pip (on a machine: rigforge-python -m pip
# install NAME), or into an environment of your own (conda create --name NAME PACKAGE). On purpose: --no-pin.
{pins}
"""

#: The build that `conda list` shows of a wheel, and that no package of a channel has.
WHEEL = "pypi_0"

#: Packages that stay as they were locked, also where conda itself has installed them.
HELD = {"pytorch"}


def pin(root: Root) -> None:
    """Pins what is in the environment that is active on the machine, if that is conda's."""
    environment = root.options["environment"]
    here = root.at(environment)
    if (here / "conda-meta").is_dir():
        found = pins(here, root.at(root.options["site_packages"]))
        root.write(f"{environment}/conda-meta/pinned", PINNED.format(pins="\n".join(found)))


def pins(prefix: Path, site_packages: Path) -> list[str]:
    """Returns match specs, sorted, of what conda may neither replace nor install over what is there.

    A wheel is pinned by every name that conda may have for it, but for those that conda itself has installed.
    """
    metadata = [file.relative_to(prefix) for file in guest.glob(prefix, "conda-meta/*.json")]
    records = [json.loads(guest.read(prefix, file)) for file in metadata]
    installed = {known["name"] for known in records}
    files = {prefix / file for known in records for file in known["files"]}
    found = {f"{known['name']} =={known['version']} {known['build']}" for known in records if known["name"] in HELD}
    for file in guest.glob(site_packages, "*.dist-info/METADATA"):
        if file not in files and file.is_file() and not file.is_symlink():
            wheel = Distribution.at(file.parent)
            names = set(conda_names(wheel.metadata["Name"])) - installed
            found |= {f"{name} =={wheel.version} {WHEEL}" for name in names}
    return sorted(found)


@cache
def _table() -> dict[str, list[str]]:
    return tomllib.loads(Path(__file__).with_name("conda_names.toml").read_text(encoding="utf-8"))


def conda_names(wheel: str) -> tuple[str, ...]:
    """Returns the names that conda-forge may have for a package of PyPI: it writes hyphens, underscores or dots."""
    name = canonicalize_name(wheel)
    return tuple(_table().get(name, (name, name.replace("-", "_"), wheel.lower())))
