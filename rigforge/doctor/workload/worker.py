"""Keeps one device busy and checks what it computes. Run by the Python that has PyTorch, never imported by the doctor.

`python -c PROGRAM burn-in|train cuda|cpu` says what happens on standard output, a JSON object a line with its `event`.
The line `stop` on standard input ends it after a last look; a closed standard input ends it at once.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, TextIO

#: The largest error that a result may have against double precision, in units of the results' root mean square.
TOLERANCE = {"float64": 1e-10, "float32": 1e-4, "tf32": 2e-2, "float16": 2e-2, "bfloat16": 8e-2}
#: What memory is filled with; the last is each word's own number, which finds address lines that are mixed up.
PATTERNS = (0, -1, 0x5555555555555555, -0x5555555555555556, 0x00FF00FF00FF00FF, 0x123456789ABCDEF, None)

STOP = threading.Event()
SPEECH: TextIO = sys.stdout
torch: Any = None


def say(event: str, **facts: object) -> None:
    print(json.dumps({"event": event, **facts}), file=SPEECH, flush=True)


class Device:
    """What differs between a GPU and the processor: how much is done at a time, and how to wait for it."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.gpu = kind == "cuda"
        #: Seconds of one kind of product, and between two lines.
        self.round, self.line = (2.0, 0.25) if self.gpu else (0.1, 0.05)
        free = self.free()
        self.size = (8192 if free >= 12 << 30 else 4096 if free >= 2 << 30 else 2048) if self.gpu else 192
        self.block = min(256 << 20, free // 16) if self.gpu else 1 << 20
        self.capability = torch.cuda.get_device_capability() if self.gpu else (0, 0)

    @property
    def name(self) -> str:
        return str(torch.cuda.get_device_name()) if self.gpu else "processor"

    def free(self) -> int:
        return int(torch.cuda.mem_get_info()[0]) if self.gpu else 64 << 20

    def wait(self) -> None:
        if self.gpu:
            torch.cuda.synchronize()


class Product:
    """A matrix product in one number format, whose result must be the first one to the last bit."""

    def __init__(self, device: Device, name: str, left: Any, right: Any) -> None:
        self.device, self.name = device, name
        kind = getattr(torch, "float32" if name == "tf32" else name)
        # Double precision is 64 times slower on many cards.
        size = device.size // 2 if name == "float64" else device.size
        self.left, self.right = (side[:size, :size].to(kind).to(device.kind) for side in (left, right))
        self.operations = 2 * size**3
        self.bits = {2: torch.int16, 4: torch.int32, 8: torch.int64}[self.left.element_size()]
        self.result = torch.empty_like(self.left)
        self.count = 1
        self.multiply()
        self.expected = self.result.clone()
        self.error = self.measured_error()

    def multiply(self) -> None:
        if self.device.gpu:
            torch.set_float32_matmul_precision("high" if self.name == "tf32" else "highest")
        torch.mm(self.left, self.right, out=self.result)

    def measured_error(self) -> float:
        """Returns the largest difference of some rows from what the processor computes in double precision."""
        rows = torch.linspace(0, len(self.left) - 1, 16).long()
        exact = self.left[rows.to(self.device.kind)].cpu().double() @ self.right.cpu().double()
        product = self.expected[rows.to(self.device.kind)].cpu().double()
        return float((product - exact).abs().max() / exact.square().mean().sqrt())

    def work(self) -> None:
        """Multiplies until it is time for a line, and says how many numbers came out otherwise than at first."""
        wrong = torch.zeros((), dtype=torch.int64, device=self.device.kind)
        start = time.monotonic()
        for _ in range(self.count):
            self.multiply()
            wrong += (self.result.view(self.bits) != self.expected.view(self.bits)).sum()
        count_wrong = int(wrong)  # waits for the device
        seconds = time.monotonic() - start
        say("product", format=self.name, operations=self.count * self.operations, seconds=seconds, wrong=count_wrong)
        if seconds < self.device.line:
            self.count *= 2


class MemoryBlocks:
    """Most of the memory that is free, in blocks."""

    def __init__(self, device: Device) -> None:
        self.words = device.block // 8
        self.kind = device.kind
        self.numbers = torch.arange(self.words, dtype=torch.int64, device=device.kind)
        # A tenth stays free, and room to compare a block in.
        count = max(1, (int(device.free() * 0.9) - 2 * device.block) // device.block)
        self.blocks: list[Any] = []
        for _ in range(count):
            try:
                self.blocks.append(torch.empty(self.words, dtype=torch.int64, device=device.kind))
            except torch.cuda.OutOfMemoryError:
                break  # another program was faster; what there is will be tested
        self.size = len(self.blocks) * self.words * 8

    def fill(self, pattern: int | None) -> None:
        for index, block in enumerate(self.blocks):
            if pattern is None:
                torch.add(self.numbers, index * self.words, out=block)
            else:
                block.fill_(pattern)

    def wrong(self, pattern: int | None) -> int:
        """Returns how many words do not hold what was written."""
        total = torch.zeros((), dtype=torch.int64, device=self.kind)
        for index, block in enumerate(self.blocks):
            if pattern is None:
                total += (block.sub(self.numbers) != index * self.words).sum()
            else:
                total += (block != pattern).sum()
        return int(total)


def products(device: Device) -> Iterator[Product]:
    generator = torch.Generator().manual_seed(20240101)
    left, right = (torch.randn(device.size, device.size, generator=generator) for _ in range(2))
    newer = ["tf32", "bfloat16"] if device.capability >= (8, 0) else [] if device.gpu else ["bfloat16"]
    for name in ("float16", "float32", *newer, "float64"):
        product = Product(device, name, left, right)
        say("reference", format=name, error=product.error, right=product.error <= TOLERANCE[name])
        yield product


def burn_in(device: Device) -> None:
    """Writes a pattern into memory, computes for some seconds, and looks whether the pattern is still there."""
    work = list(products(device))
    memory = MemoryBlocks(device)
    say("ready", name=device.name, torch=torch.__version__, memory=memory.size)
    turn = 0
    while not STOP.is_set():
        pattern = PATTERNS[turn % len(PATTERNS)]
        memory.fill(pattern)
        for product in work:
            end = time.monotonic() + device.round
            while time.monotonic() < end and not STOP.is_set():
                product.work()
        text = "address" if pattern is None else f"{pattern & 0xFFFFFFFFFFFFFFFF:016x}"
        say("memory", pattern=text, bytes=memory.size, wrong=memory.wrong(pattern))
        turn += 1


def train(device: Device) -> None:
    """Trains a small transformer in mixed precision, and says how many sequences it got through."""
    for batch in (16, 8, 4, 2, 1) if device.gpu else (2,):
        try:
            step = training_step(device, batch)
            step()
            break
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            if batch == 1:
                raise
    say("ready", name=device.name, torch=torch.__version__, batch=batch)
    count = 1
    while not STOP.is_set():
        start = time.monotonic()
        for _ in range(count):
            step()
        device.wait()
        seconds = time.monotonic() - start
        say("steps", sequences=count * batch, seconds=seconds)
        if seconds < device.line:
            count *= 2


def training_step(device: Device, batch: int) -> Any:
    width, layers, length = (1024, 8, 512) if device.gpu else (32, 1, 16)
    kind = torch.bfloat16 if device.capability >= (8, 0) or not device.gpu else torch.float16
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(width, max(1, width // 64), 4 * width, batch_first=True)
    model = torch.nn.TransformerEncoder(layer, layers, enable_nested_tensor=False).to(device.kind)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    inputs, targets = (torch.randn(batch, length, width, device=device.kind) for _ in range(2))

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.kind, dtype=kind):
            outputs = model(inputs)
        torch.nn.functional.mse_loss(outputs.float(), targets).backward()
        optimizer.step()

    return step


def listen() -> None:
    for line in sys.stdin:
        if line.strip() == "stop":
            STOP.set()
    os._exit(0)  # whoever started this is gone


def main() -> int:
    global SPEECH, torch
    # What PyTorch and its libraries print must not come between the lines.
    SPEECH = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    mode, kind = sys.argv[1:]
    threading.Thread(target=listen, daemon=True).start()
    # cuBLAS repeats itself to the last bit with a workspace of a fixed size (its manual, "Results reproducibility").
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    try:
        import torch as found

        torch = found
        if kind == "cuda" and not torch.cuda.is_available():
            say("error", text="PyTorch sees no GPU")
            return 1
        if kind == "cpu":
            torch.set_num_threads(1)  # the order of a sum depends on how many threads share it
        {"burn-in": burn_in, "train": train}[mode](Device(kind))
    except Exception as error:
        memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
        say("out-of-memory" if memory else "error", text=f"{type(error).__name__}: {error}".splitlines()[0])
        return 1
    say("end")
    return 0


if __name__ == "__main__":
    # Not sys.exit: it would wait for the thread that reads standard input.
    os._exit(main())
