"""Containers with GPUs: the engine, how it hands GPUs over, and a container that is really started."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

from rigforge.doctor.check import Check, Topic
from rigforge.doctor.checks.cdi import specifications
from rigforge.doctor.machine import CommandResult, Machine

RUNTIME = Topic(
    "container-runtime", "docker run --gpus all needs NVIDIA's toolkit or a CDI specification of this driver."
)
START = Topic("container-start", "Only a container that is started shows that the GPU arrives in it.")

#: How long Docker may take to start, or a container; an image that was never used is unpacked first.
START_SECONDS = 60

#: Where snaps are and keep their data.
_SNAP = ("/snap/", "/var/snap/")


def checks(machine: Machine) -> Iterator[Check]:
    if machine.container:
        yield from (topic.not_applicable("this is a container") for topic in (RUNTIME, START))
        return
    engine = next((name for name in ("docker", "podman") if machine.has(name)), "")
    if not engine:
        yield from (topic.not_applicable("neither Docker nor Podman is installed") for topic in (RUNTIME, START))
        return
    if machine.at_rest and engine == "docker" and _sleeps(machine):
        yield from (topic.not_applicable("Docker starts when it is asked for") for topic in (RUNTIME, START))
        return
    answer = machine.ask(engine, "info", "--format", "json", seconds=START_SECONDS)
    if not answer or answer.code:
        measured = f"{engine} does not answer" + (
            f": {answer.complaint.splitlines()[0]}" if answer and answer.complaint else ""
        )
        yield RUNTIME.warning(
            measured, f"sudo systemctl start {engine}, and be in the group docker: sudo usermod -aG docker $USER"
        )
        yield START.not_applicable(f"{engine} does not answer")
        return
    confined = engine == "docker" and _of_snap(machine, answer.output)
    way = _way(machine, engine, answer.output, confined)
    if not machine.cards:
        yield RUNTIME.not_applicable(f"{engine} answers; no NVIDIA GPU on the bus")
    elif not way and confined:
        yield RUNTIME.failed(
            "Docker is snap's, which sees neither NVIDIA's toolkit nor the CDI specifications of this machine",
            "sudo snap remove docker && sudo apt-get install docker.io (its images and volumes go: save them first)",
        )
    elif not way:
        yield RUNTIME.failed(
            f"{engine} has neither NVIDIA's runtime nor a CDI specification",
            "sudo systemctl start rigforge-cdi, or: sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",
        )
    else:
        yield RUNTIME.ok(f"{engine}, {'CDI' if 'nvidia.com' in way[-1] else 'NVIDIA runtime'}")
    yield START.of(lambda: _start(machine, engine, way))


def _sleeps(machine: Machine) -> bool:
    """Tells whether Docker is down behind a socket that starts it when it is asked for."""
    answer = machine.ask("systemctl", "is-active", "docker.socket", "docker.service")
    return answer is not None and answer.output.split() == ["active", "inactive"]


def _way(machine: Machine, engine: str, info: str, confined: bool) -> tuple[str, ...]:
    """Returns the arguments that hand over all GPUs; none where there is no way.

    An engine that is `confined` sees no specification of the machine's, but snap's Docker may have a runtime itself.
    """
    if not confined and specifications(machine):
        return ("--device", "nvidia.com/gpu=all")
    runtimes = _field(info, "Runtimes")
    return ("--gpus", "all") if engine == "docker" and isinstance(runtimes, dict) and "nvidia" in runtimes else ()


def _of_snap(machine: Machine, info: str) -> bool:
    """Tells whether the Docker that answers is the one of snap."""
    root = _field(info, "DockerRootDir")
    program = shutil.which("docker", path=machine.path) or ""
    ours = program.removeprefix(str(machine.root).rstrip("/"))
    if isinstance(root, str) and root:
        return root.startswith(_SNAP)
    return ours.startswith(_SNAP) or (machine.root / "snap/docker/current").exists()


def _field(info: str, name: str) -> Any:
    try:
        return json.loads(info)[name]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _start(machine: Machine, engine: str, way: tuple[str, ...]) -> Check:
    if machine.at_rest:
        return START.not_applicable("no container is started to look at it")
    listed = machine.ask(engine, "images", "--quiet", "--filter", "label=io.rigforge.stack")
    image = listed.output.split()[0] if listed and listed.output else ""
    if not image:
        return START.not_applicable("no image of Rigforge's is loaded")
    gpus = way if machine.cards else ()
    if machine.cards and not way:
        return START.not_applicable("there is no way to hand a GPU over")
    ask = ("nvidia-smi", "--list-gpus") if gpus else ("true",)
    done = machine.ask(
        engine, "run", "--rm", "--network=none", *gpus, "--entrypoint", ask[0], image, *ask[1:], seconds=START_SECONDS
    )
    if not done or done.code:
        command = " ".join([engine, "run", "--rm", *gpus, "--entrypoint", ask[0], image, *ask[1:]])
        return START.failed(f"{image} did not start: {_reason(done)}", f"{command} shows the whole message")
    return START.ok(f"{image} started" + (f" with {len(done.output.splitlines())} GPUs" if gpus else ""))


def _reason(done: CommandResult | None) -> str:
    """Returns the line of an engine's complaint that names the error: warnings come before it, advice after it."""
    if done is None:
        return f"no answer in {START_SECONDS} s"
    lines = [line for line in done.complaint.splitlines() if line.strip()] or [f"exit code {done.code}"]
    return next((line for line in lines if "error" in line.lower()), lines[0])
