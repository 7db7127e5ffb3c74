"""PyTorch, JupyterLab and the other packages, in an environment that every login shell has active."""

from __future__ import annotations

from rigforge import guest
from rigforge.layers import conda, wheels
from rigforge.layers.environment import CONDA, Environment
from rigforge.layers.root import Root
from rigforge.records.conda import ROLE

PROFILE = """\
export VIRTUAL_ENV={environment}
export CUDA_HOME={cuda_root}
export PATH="$VIRTUAL_ENV/bin:$PATH:$CUDA_HOME/bin"
"""

#: What `conda activate` does, without starting conda at each login. PATH is that of /etc/environment already where
#: /etc/profile does not set it (Ubuntu's), and in a shell within a shell; `conda deactivate` takes out one place.
CONDA_PROFILE = """\
export {active}
export CUDA_HOME={cuda_root}
case "$PATH" in "$CONDA_PREFIX/bin:"*) ;; *) PATH="$CONDA_PREFIX/bin:{conda}/condabin:$PATH" ;; esac
case "$PATH" in *":$CUDA_HOME/bin"*) ;; *) PATH="$PATH:$CUDA_HOME/bin" ;; esac
export PATH
{function}
for script in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do
    if [ -r "$script" ]; then . "$script"; fi
done
unset script
"""

#: Makes `conda activate` work in a shell.
FUNCTION = f"if [ -r {CONDA}/etc/profile.d/conda.sh ]; then . {CONDA}/etc/profile.d/conda.sh; fi"

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


Options = Environment
PROGRAMS, DATA = (conda.PROGRAM,), (conda.NAMES,)


def build(root: Root, options: Options) -> None:
    """Installs conda packages and wheels, into an environment that is there already or made now."""
    environment = options.environment
    if options.conda:
        conda.install(root, options.conda)
        conda.protect(root, CONDA, environment.rpartition("/")[2], ROLE)
    elif not root.exists(environment):
        root.chroot(["python3", "-m", "venv", "--without-pip", environment])
    if any(root.files.glob("*.whl")):
        wheels.install(root, environment, options.site_packages)
    conda.pin(root, environment, options.site_packages)
    if options.conda:
        _activate_conda(root, options)
    else:
        root.write("etc/profile.d/rigforge.sh", PROFILE.format(environment=environment, cuda_root=options.cuda_root))
        # Read by PAM, so that `ssh machine python …`, which starts no login shell, finds the environment too.
        root.write("etc/environment", f'PATH="{environment}/bin:{SYSTEM_PATH}"\n')


def _activate_conda(root: Root, options: Options) -> None:
    """Has the environment active, and conda at hand, in login shells, in others, and where there is none."""
    environment = options.environment
    active = conda.activated(environment)
    assignments = " ".join(f"{name}={value}" for name, value in active.items())
    profile = CONDA_PROFILE.format(active=assignments, cuda_root=options.cuda_root, conda=CONDA, function=FUNCTION)
    root.write("etc/profile.d/rigforge.sh", profile)
    # Read by PAM, for `ssh machine conda …`. Where conda is comes second: so it is after `conda activate` as well.
    variables = {"PATH": f"{environment}/bin:{CONDA}/condabin:{SYSTEM_PATH}", **active}
    root.write("etc/environment", "".join(f'{name}="{value}"\n' for name, value in variables.items()))
    # Interactive shells that are no login shells: in containers, in an editor's terminal, after `sudo -s`.
    bashrc = guest.read(root.path, "etc/bash.bashrc") if root.exists("etc/bash.bashrc") else ""
    root.write("etc/bash.bashrc", f"{bashrc}\n{FUNCTION}\n")
    # sudo has a PATH of its own, and cron and units of systemd have.
    for program in ("conda", "mamba"):
        root.link(f"usr/local/bin/{program}", f"{CONDA}/bin/{program}")
