"""The help of parameters that several tasks have."""

from __future__ import annotations

STACK = "stack to use: a name from `stacks`, or the path of a TOML file (default: the first whose archives answer)"
JSON = "print the result as JSON"
OFFLINE = {"offline": "use only what earlier runs have downloaded"}
CHECK = {"check": "read again all that earlier builds left, and make or fetch anew what is damaged"}
GPU = {
    "gpu": 'card of the machine ("RTX 5090", 10de:2684, "NAME=8.9"), or `here` for this machine\'s cards; '
    "may be given several times (default: those that the stack is for)"
}
MIRROR = {"mirror": "folder that is looked into before any archive: DIR/debian/pool/…, DIR/pypi/NAME.whl"}
SITE = {
    "set": "site value as KEY=VALUE, e.g. hostname=gpu1, user=ada, ssh_key='ssh-ed25519 …', disk=/dev/nvme0n1; "
    "may be given several times",
    "site": "TOML file with site values (default: site.toml in the current folder, where there is one)",
}
