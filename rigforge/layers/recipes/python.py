"""PyTorch, JupyterLab and the other wheels, in an environment that every login shell has active."""

from __future__ import annotations

from rigforge.layers.root import Root
from rigforge.layers.wheels import install

PROFILE = """\
export VIRTUAL_ENV={environment}
export CUDA_HOME={cuda_root}
export PATH="$VIRTUAL_ENV/bin:$PATH:$CUDA_HOME/bin"
"""


def build(root: Root) -> None:
    """Installs the wheels, into an environment that is there already or made now."""
    environment = root.options["environment"]
    if not (root.path / environment.lstrip("/")).exists():
        root.chroot(["python3", "-m", "venv", "--without-pip", environment])
    install(root)
    root.write("etc/profile.d/rigforge.sh", PROFILE.format(**root.options))
    # Read by PAM, so that `ssh machine python …`, which starts no login shell, finds the environment too.
    path = f"{environment}/bin:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
    root.write("etc/environment", f'PATH="{path}"\n')
