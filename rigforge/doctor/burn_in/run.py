"""The burn-in itself: starts the workers, looks at the GPUs each second, and ends in time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rigforge.doctor import nvml
from rigforge.doctor.burn_in.record import BurnInRecord
from rigforge.doctor.machine import Machine
from rigforge.doctor.nvml import NvmlGpu
from rigforge.doctor.signals import Interruption
from rigforge.doctor.workload.process import Worker

#: Seconds between two looks.
EVERY = 1.0
#: Seconds that a worker gets for its last look at the memory.
LAST = 30.0


def run(
    machine: Machine,
    gpus: Sequence[NvmlGpu],
    python: str,
    seconds: float,
    patience: float,
    interruption: Interruption,
    tell: Callable[[float, Sequence[BurnInRecord]], None],
) -> tuple[list[BurnInRecord], float]:
    """Returns what each GPU did, and the seconds that all were at work together; the processor's where `gpus` is empty.

    The seconds begin when every worker is ready. `tell` is called after each look with the seconds so far.
    """
    records = [BurnInRecord(gpu, trouble=gpu.lost) for gpu in gpus] or [BurnInRecord(None)]
    workers: dict[int, Worker] = {}
    begun = time.monotonic()
    start = 0.0
    with nvml.kept_open():
        try:
            for place, record in enumerate(records):
                if not record.trouble:
                    workers[place] = _worker(machine, python, record, patience)
            while not interruption and any(worker.working for worker in workers.values()):
                interruption.wait(EVERY)
                _look(records, workers, time.monotonic() - begun)
                if not start and all(worker.ready or not worker.working for worker in workers.values()):
                    start = time.monotonic()
                done = time.monotonic() - start if start else 0.0
                tell(done, records)
                if done >= seconds:
                    break
            done = time.monotonic() - start if start else 0.0
            _end(records, workers)
        finally:
            for worker in workers.values():
                worker.kill()
    return records, min(done, seconds)


def _worker(machine: Machine, python: str, record: BurnInRecord, patience: float) -> Worker:
    gpu = record.before
    return Worker(
        python,
        "burn-in",
        "cuda" if gpu else "cpu",
        machine.program_environment,
        uuid=gpu.uuid if gpu else "",
        patience=patience,
    )


def _look(records: Sequence[BurnInRecord], workers: dict[int, Worker], now: float) -> None:
    _hear(records, workers)
    gpus = _gpus(records)
    for record in records:
        record.look(gpus.get(record.before.index) if record.before else None, now)


def _gpus(records: Sequence[BurnInRecord]) -> dict[int, NvmlGpu]:
    return {gpu.index: gpu for gpu in nvml.read(briefly=True).gpus} if any(record.before for record in records) else {}


def _hear(records: Sequence[BurnInRecord], workers: dict[int, Worker]) -> None:
    for place, worker in workers.items():
        for event in worker.events():
            records[place].take(event)
        records[place].trouble = worker.trouble


def _end(records: Sequence[BurnInRecord], workers: dict[int, Worker]) -> None:
    ready = [worker for worker in workers.values() if worker.ready and worker.working]
    for worker in ready:
        worker.ask_to_stop()
    end = time.monotonic() + LAST
    while any(worker.working for worker in ready) and time.monotonic() < end:
        time.sleep(0.05)
        _hear(records, workers)
    for place, worker in workers.items():
        if worker in ready and worker.working:
            records[place].trouble = f"did not come to an end within {LAST:.0f} s"
    # The counters of errors once more, for what the last look at the memory brought up.
    gpus = _gpus(records)
    for record in records:
        if record.before:
            record.after = gpus.get(record.before.index, record.after)
