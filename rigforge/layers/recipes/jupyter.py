"""JupyterLab on a machine: a service of each user, and PyTorch's environment as the kernel that notebooks get."""

from __future__ import annotations

import json
from importlib import resources

from rigforge.layers.root import Root

#: Jupyter's data (kernels) that come before the environment's own; the unit names it.
DATA = "usr/share/rigforge/jupyter"

#: As in an environment of conda: what a user's `pip install` puts below ~/.local is found, and pip puts it there, as
#: the environment is not the user's to write to (site, "include-system-site-packages"; PEP 370).
USER_SITE = """\
import site; site.ENABLE_USER_SITE = site.check_enableusersite(); site.addusersitepackages(set())
"""


def add(root: Root) -> None:
    """Adds the service, enabled for every user, and the kernel; nothing to a stack without JupyterLab."""
    options = root.options["jupyter"]
    if not options:
        return
    target = resources.files("rigforge.target")
    root.write("usr/lib/rigforge/rigforge/target/jupyter.py", target.joinpath("jupyter.py").read_text())
    root.write("etc/systemd/user/jupyter.service", target.joinpath("user_units/jupyter.service").read_text())
    root.write(
        "etc/systemd/system/rigforge-linger.service", target.joinpath("units/rigforge-linger.service").read_text()
    )
    root.chroot(["systemctl", "--global", "enable", "jupyter.service"])
    root.chroot(["systemctl", "enable", "rigforge-linger.service"])
    _add_kernel(root, options["environment"], options["kernel"])
    if (root.path / options["environment"].lstrip("/") / "pyvenv.cfg").exists():
        root.write(f"{options['site_packages']}/rigforge-user-site.pth", USER_SITE)


def _add_kernel(root: Root, environment: str, name: str) -> None:
    """Names the kernel `python3`, which notebooks from elsewhere ask for as well, after what is in it."""
    kernel = {
        "argv": [
            f"{environment}/bin/python",
            "-Xfrozen_modules=off",
            "-m",
            "ipykernel_launcher",
            "-f",
            "{connection_file}",
        ],
        "display_name": name,
        "language": "python",
        "metadata": {"debugger": True},
    }
    folder = f"{DATA}/kernels/python3"
    root.write(f"{folder}/kernel.json", json.dumps(kernel, indent=1) + "\n")
    own = f"{environment}/share/jupyter/kernels/python3"
    for logo in sorted((root.path / own.lstrip("/")).glob("logo-*")):
        (root.path / folder / logo.name).symlink_to(f"{own}/{logo.name}")
