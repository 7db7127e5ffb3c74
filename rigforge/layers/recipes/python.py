"""PyTorch, JupyterLab and the other packages, in an environment that every login shell has active."""

from __future__ import annotations

from rigforge.layers import conda, wheels
from rigforge.layers.plan import CONDA
from rigforge.layers.root import Root
from rigforge.lock.conda import ROLE

PROFILE = """\
export VIRTUAL_ENV={environment}
export CUDA_HOME={cuda_root}
export PATH="$VIRTUAL_ENV/bin:$PATH:$CUDA_HOME/bin"
"""

#: What `conda activate` does, without starting conda at each login; conda.sh makes conda a command of the shell.
CONDA_PROFILE = """\
if [ -r {conda}/etc/profile.d/conda.sh ]; then . {conda}/etc/profile.d/conda.sh; fi
export CONDA_PREFIX={environment} CONDA_DEFAULT_ENV={name} CONDA_SHLVL=1
export CUDA_HOME={cuda_root}
export PATH="$CONDA_PREFIX/bin:{conda}/condabin:$PATH:$CUDA_HOME/bin"
for script in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do
    if [ -r "$script" ]; then . "$script"; fi
done
unset script
"""


def build(root: Root) -> None:
    """Installs conda packages and wheels, into an environment that is there already or made now."""
    environment = root.options["environment"]
    path = f"{environment}/bin:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
    profile = PROFILE
    if "conda" in root.options:
        name = environment.rpartition("/")[2]
        conda.install(root)
        conda.protect(root, CONDA, name, ROLE)
        profile = CONDA_PROFILE.replace("{name}", name).replace("{conda}", CONDA)
        path = f"{path}:{CONDA}/condabin"
    elif not (root.path / environment.lstrip("/")).exists():
        root.chroot(["python3", "-m", "venv", "--without-pip", environment])
    if any(root.files.glob("*.whl")):
        wheels.install(root)
    root.write("etc/profile.d/rigforge.sh", profile.format(**root.options))
    # Read by PAM, so that `ssh machine python …`, which starts no login shell, finds the environment too.
    root.write("etc/environment", f'PATH="{path}"\n')
