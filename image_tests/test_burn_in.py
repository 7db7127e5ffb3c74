"""The burn-in with the PyTorch that was installed, on the processor: it ends well, and it would notice a fault."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from testinfra.host import Host

import rigforge.doctor.workload
from rigforge.verify.expectations import Expectations

pytestmark = pytest.mark.needs("pytorch")

WORKER = Path(rigforge.doctor.workload.__file__).with_name("worker.py")

#: Follows the worker's definitions: spoils a factor, then a word in memory.
FAULTS = """
torch = __import__("torch")
torch.set_num_threads(1)
device = Device("cpu")
for product in products(device):
    product.work()
    product.right[0, 0] += 1
    product.work()
memory = Memory(device)
for pattern in PATTERNS:
    memory.fill(pattern)
    found = [memory.wrong(pattern)]
    memory.blocks[-1][5] += 1
    say("memory", wrong=[*found, memory.wrong(pattern)])
"""


def test_burn_in_ends_well_with_every_number_format(host: Host) -> None:
    done = host.run("rigforge-doctor burn-in --cpu --minutes 0.1 --patience 600 --json")
    assert done.rc == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    checks = {check["id"]: check["status"] for check in answer["checks"]}
    assert {name: checks[name] for name in ("work", "results", "gpu-memory")} == {
        "work": "ok",
        "results": "ok",
        "gpu-memory": "ok",
    }
    (processor,) = answer["gpus"]
    assert set(processor["formats"]) == {"float16", "float32", "bfloat16", "float64"}
    assert processor["patterns"] > 0


def test_burn_in_notices_a_wrong_number_and_a_wrong_word(host: Host, expected: Expectations) -> None:
    program = WORKER.read_text().partition("\nif __name__")[0] + FAULTS
    said = host.check_output("timeout 900 %s -c %s", f"{expected.env}/bin/python", program)
    events = [json.loads(line) for line in said.splitlines()]
    products = [event["wrong"] for event in events if event["event"] == "product"]
    assert products[0::2] == [0] * 4
    assert min(products[1::2]) > 0
    assert [event["wrong"] for event in events if event["event"] == "memory"] == [[0, 1]] * 7
