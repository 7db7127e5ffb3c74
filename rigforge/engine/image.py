"""Images by name, and whether an engine has them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from rigforge import process
from rigforge.engine.find import Engine, daemon
from rigforge.errors import RigforgeError, UsageError

# https://github.com/distribution/reference/blob/main/reference.go
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*")
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]+)?|\[[0-9a-fA-F:]+\](?::[0-9]+)?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def reference(stack: str, image: str) -> str:
    """Returns the name under which engines know an image of a stack.

    Raises RigforgeError where they would refuse it.
    """
    if not _COMPONENT.fullmatch(stack):
        raise RigforgeError(
            f"rigforge/{stack}:{image} is not a valid image reference: the stack's name is {stack!r}",
            "lower-case letters and digits, between them -, . or _; the name is that of the stack's file",
        )
    if not _TAG.fullmatch(image):
        raise RigforgeError(
            f"rigforge/{stack}:{image} is not a valid image reference: --image is {image!r}",
            "it is one of: base, runtime, dev",
        )
    return f"rigforge/{stack}:{image}"


def repository(name: str) -> str:
    """Returns the name of a repository of a registry, as it was given: HOST[:PORT]/PATH.

    Raises UsageError where it is none, or has a tag, which is the image's own name.
    """
    host, slash, path = name.partition("/")
    sound = slash and _HOST.fullmatch(host) and all(map(_COMPONENT.fullmatch, path.split("/")))
    if not sound:
        raise UsageError(
            f"--push {name}: not a repository of a registry",
            "such as registry.lab:5000/gpu, in lower case and without a tag: that is the image's name",
        )
    return name


def loaded(engine: Engine, stacks: Iterable[str], image: str) -> str:
    """Returns the reference of that image of the first of the stacks whose image the engine has.

    Raises RigforgeError with the command that makes and loads it where the engine has none of them.
    """
    references = [reference(stack, image) for stack in stacks]
    for name in references:
        if _has(engine, name):
            return name
    if len(references) == 1:
        stack = references[0].removeprefix("rigforge/").split(":")[0]
        raise RigforgeError(
            f"{references[0]} is not loaded in {engine}", f"invoke build-images --stack {stack} --image {image} --load"
        )
    raise RigforgeError(
        f"no stack's image {image!r} is loaded in {engine}", f"invoke build-images --image {image} --load"
    )


def _has(engine: Engine, name: str) -> bool:
    if engine.name == "podman":
        return process.run(["podman", "image", "exists", name], env=os.environ, check=False).returncode == 0
    from docker.errors import ImageNotFound

    with daemon() as client:
        try:
            client.images.get(name)
        except ImageNotFound:
            return False
        return True
