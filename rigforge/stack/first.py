"""A first stack of one's own: what most people change of a stack that comes with Rigforge, and what else they may."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rigforge.stack.model import Stack


def text(parent: Stack, cards: Sequence[str]) -> str:
    """Returns the text of a stack file that extends `parent`; `cards` are trade names, none for those of `parent`."""
    models = "\n".join(f"    {json.dumps(card, ensure_ascii=False)}," for card in cards or parent.gpu.models)
    return f"""\
# A stack of your own: what a machine is to be. docs/stack.md explains every key.
description = {json.dumps(f"{parent.name}, as we want it", ensure_ascii=False)}

# What is not said here is as it is there:
# {parent.description}
extends = "{parent.name}"

# The cards that the machines have, by trade name. `explain --gpu NAME` says what goes with one.
[gpu]
models = [
{models}
]

# "..." stands for those of {parent.name}.
[python]
packages = ["..."]

[packages]
host = ["..."]

# Values of one machine or site (host name, user, SSH keys, disk) are better in a site.toml beside this file:
# [machine]
# hostname = "gpu1"
# username = "ada"
# ssh_authorized_keys = ["ssh-ed25519 …"]
"""
