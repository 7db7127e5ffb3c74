"""JupyterLab on a machine: a service of each user, and PyTorch's environment as the kernel that notebooks get."""

from __future__ import annotations

import json

from rigforge.layers import own_files
from rigforge.layers.root import Root

#: What the service starts.
PROGRAM = "rigforge.machine.jupyter"

#: Jupyter's data (kernels) that come before the environment's own; the unit names it.
DATA = "usr/share/rigforge/jupyter"


def add(root: Root, environment: str, kernel: str) -> None:
    """Adds the service, enabled for every user, and the notebooks' kernel `kernel`; nothing without an environment."""
    if not environment:
        return
    own_files.add_modules(root, PROGRAM)
    own_files.add(root, "machine/rigforge-python", "usr/bin/rigforge-python", 0o755)
    own_files.add(root, "machine/user_units/jupyter.service", "etc/systemd/user/jupyter.service")
    root.chroot(["systemctl", "--global", "enable", "jupyter.service"])
    own_files.add_units(root, "machine", "rigforge-linger.service")
    _add_kernel(root, environment, kernel)


def _add_kernel(root: Root, environment: str, name: str) -> None:
    """Names the kernel `python3`, which notebooks from elsewhere ask for as well, after what is in it.

    It is the user's own environment on top of `environment`, so that `%pip install` has somewhere to go.
    """
    kernel = {
        "argv": [
            "/usr/bin/rigforge-python",
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
    # Copied, as Jupyter follows no links out of the folder.
    for logo in root.glob(f"{environment}/share/jupyter/kernels/python3/logo-*"):
        root.take(logo.relative_to(root.path), root.at(f"{folder}/{logo.name}"))
