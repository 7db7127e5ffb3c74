"""Stands in for a Python with PyTorch on a machine with GPUs: speaks as rigforge/doctor/workload/worker.py does.

$STAND_IN has what goes wrong, by the GPU's UUID. It trains as fast as the mock's power limit allows, which it reads in
the files beside it: a Python that root starts gets none of root's environment.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

UUID = os.environ.get("CUDA_VISIBLE_DEVICES", "")
FAULT = json.loads(os.environ.get("STAND_IN", "{}")).get(UUID, "")
STOP = threading.Event()


def say(event: str, **facts: object) -> None:
    print(json.dumps({"event": event, **facts}), flush=True)


def listen() -> None:
    for line in sys.stdin:
        if line == "stop\n":
            STOP.set()
    os._exit(0)


def limit() -> int:
    """The power limit of GPU 0 in watts."""
    files = [Path(__file__).resolve().with_name(name) for name in ("mock", "mock.set")]
    lines = [line for file in files if file.exists() for line in file.read_text().splitlines()]
    return int([line.split()[1] for line in lines if line.startswith("0.power_limit ")][-1]) // 1000


def trouble() -> None:
    if FAULT == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if FAULT == "dies":
        sys.exit("Segmentation fault of something")
    if FAULT == "hangs":
        time.sleep(1000)
    if FAULT == "out-of-memory":
        say("out-of-memory", text="OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB")
        sys.exit(1)


def burn_in() -> None:
    for name in ("float16", "float32"):
        off = FAULT == "inexact"
        say("reference", format=name, error=0.5 if off else 1e-3, right=not off)
    say("ready", name="stand-in", torch="2.13.0", memory=20 << 30)
    for turn in range(10**9):
        say("product", format="float16", operations=10**12, seconds=0.01, wrong=3 if FAULT == "wrong" else 0)
        say("memory", pattern="00", bytes=20 << 30, wrong=1 if FAULT == "memory" else 0)
        if turn == 3:
            trouble()
        if STOP.wait(0.05):
            break


def train() -> None:
    say("ready", name="stand-in", torch="2.13.0", batch=16)
    while not STOP.wait(0.05):
        if limit() <= 315:
            trouble()
        # 440 W are all it can use; below, the speed falls slowly.
        say("steps", sequences=int(1000 * min(1.0, limit() / 440) ** 0.2), seconds=10.0)


if not sys.argv[3:]:  # -c PROGRAM: whether there is a PyTorch
    sys.exit(FAULT == "no-pytorch")
threading.Thread(target=listen, daemon=True).start()
{"burn-in": burn_in, "train": train}[sys.argv[3]]()
say("end")
