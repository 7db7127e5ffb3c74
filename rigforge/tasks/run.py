"""What runs a command in an image."""

from __future__ import annotations

from invoke.context import Context

from rigforge.cli import task


@task(
    help={
        "stack": "stack whose image to run (default: the first, in the order of preference, whose image is loaded)",
        "image": "base, runtime or dev",
        "engine": "docker or podman (default: the first of them that answers)",
        "port": "port of this machine, on the loopback address, that leads to Jupyter where that is the command",
        "print": "print the engine's command instead of running it",
    }
)
def run(
    context: Context,
    stack: str = "",
    image: str = "dev",
    engine: str = "",
    port: str = "8888",
    print_: bool = False,
) -> None:
    """
    Run a command in an image, with this machine's GPUs and the current folder as /workspace.

    The command comes after two dashes; without one it is the image's own, a shell.

    Example: invoke run -- python train.py --epochs 3
    """
    import os
    import shlex
    import sys

    from rigforge import console
    from rigforge.engine import command, find, gpus
    from rigforge.engine.image import loaded
    from rigforge.stack.choose import preference
    from rigforge.stack.load import load, names

    # Invoke has these words too, but joined by spaces (context.remainder).
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    number = command.the_port(port)
    runtime = find.find(engine)
    reference = loaded(runtime, [load(stack).name] if stack else dict.fromkeys((*preference(), *names())), image)
    hardware = gpus.look(runtime)
    access, lack, cure = gpus.choose(runtime, hardware)
    arguments = command.arguments(runtime, access, command.Caller.here(), reference, words, number)
    console.say(f"Image {reference} in {runtime}")
    if not hardware.gpu:
        console.say("This machine has no NVIDIA GPU: the container runs on the CPU")
    if lack:
        console.warn(f"no GPU in the container: {lack}. The cure: {cure}")
    if print_:
        print(shlex.join(arguments))
        return
    if command.is_jupyter(words):
        command.check_port(number)
        console.say(f"Port {number} of 127.0.0.1 is port {command.JUPYTER_PORT} of the container")
    os.execvp(arguments[0], arguments)
