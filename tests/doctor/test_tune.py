"""Tuning with a mock driver and a stand-in for PyTorch: what is measured, and that nothing stays that should not."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from rigforge.paths import PROJECT
from tests.doctor import machines
from tests.doctor.machines import Start, uuid

GPU = {"draw": 440_000, "utilisation": 100, "temperature": 71, "reasons": "0x4"}
QUICK = ("tune", "--seconds", "0.6", "--json")
Changed = Callable[[], list[str]]


def answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Returns the answer, its checks by id, with the exit code as `code`."""
    said, complaint = process.communicate(timeout=120)
    assert "Traceback" not in complaint, complaint
    assert said, complaint
    found = json.loads(said)
    jsonschema.validate(found, json.loads((PROJECT / "docs/tune.schema.json").read_text()))
    return {**found, "checks": {check["id"]: check for check in found["checks"]}, "code": process.returncode}


@pytest.fixture(autouse=True)
def machine(root: Path) -> None:
    """A machine whose systemctl runs what a unit starts, and whose nvidia-smi tells the mock driver."""
    machines.machine(root, 2)
    (root / "etc/systemd/system").mkdir(parents=True)
    unit = f"{root}/etc/systemd/system"
    machines.program(
        root,
        "systemctl",
        f"""echo "$@" >> {root}/systemctl.log
test "$1" != "$(/bin/cat {root}/systemctl.fails 2>/dev/null)" || {{ echo it failed >&2; exit 1; }}
test "$1" != restart || $(/usr/bin/sed -n s/^ExecStart=//p {unit}/$2)""",
    )
    machines.program(
        root,
        "nvidia-smi",
        r"""echo "$@" | /usr/bin/sed -E 's/.*--id=GPU-0*([0-9]).*--power-limit=([0-9]+).*/\1.power_limit \2000/' """
        '>> "$MOCK_NVML.set"',
    )


@pytest.fixture
def units(root: Path) -> Callable[[], list[str]]:
    return lambda: sorted(file.name for file in (root / "etc/systemd/system").iterdir())


def test_nothing_is_changed_where_nobody_agreed(start: Start, changed: Changed) -> None:
    process = start(machines.answers(1, gpu0=GPU), "tune")
    said, complaint = process.communicate(timeout=20)
    assert (process.returncode, said) == (2, "")
    assert "the card allows 150 to 600 W" in complaint
    assert "nothing was measured or changed" in complaint
    assert changed() == []


def test_the_sweep_recommends_the_least_power_that_keeps_the_speed_and_puts_the_limit_back(
    start: Start, changed: Changed, units: Callable[[], list[str]], tmp_path: Path
) -> None:
    told = machines.answers(1, gpu0={**GPU, "power_limit": 400_000})
    page = tmp_path / "tune.html"
    found = answer(start(told, *QUICK, "--yes", "--report", str(page)))
    assert (found["verdict"], found["code"]) == ("ok", 0)
    (gpu,) = found["gpus"]
    assert [point["setting"]["value"] for point in gpu["points"]] == [450, 600, 405, 360, 315, 270, 225, 150]
    # 0.95 of the speed needs (limit / 440) ** 0.2 >= 0.95: 341 W.
    assert gpu["recommended"] == {"kind": "power", "value": 360}
    assert gpu["power_limit_before"] == 400
    assert "More power does not help: at 600 W" in " ".join(gpu["words"])
    assert "Overclocking is not worth the risk" in " ".join(gpu["words"])
    assert not gpu["applied"]
    limits = [int(line.split()[1]) for line in changed()]
    assert limits[-1] == 400_000
    assert 150_000 <= min(limits) <= max(limits) <= 600_000
    assert units() == []
    assert page.read_text().count('<circle class="chosen"') == 1


def test_the_second_of_two_gpus_alone_is_tuned_by_its_uuid(start: Start, changed: Changed) -> None:
    found = answer(start(machines.answers(2, gpu1=GPU), *QUICK, "--yes", "--gpu", uuid(1), "--at-most", "300"))
    assert [gpu["index"] for gpu in found["gpus"]] == [1]
    assert [point["setting"]["value"] for point in found["gpus"][0]["points"]] == [270, 225, 150]
    assert {line.split(".")[0] for line in changed()} == {"1"}


def test_clocks_are_unlocked_after_they_were_tried(start: Start, changed: Changed) -> None:
    found = answer(start(machines.answers(1, gpu0={**GPU, "clock": 3000}), *QUICK, "--yes", "--clocks"))
    clocks = [point for point in found["gpus"][0]["points"] if point["setting"]["kind"] == "clock"]
    assert [point["clock"] for point in clocks] == [2790, 2490, 2175, 1860]
    assert [line for line in changed() if "locked_clock" in line][-1] == "0.locked_clock 0"
    assert [line for line in changed() if "power_limit" in line][-1] == "0.power_limit 450000"


@pytest.mark.parametrize(
    ("fault", "said"),
    [("killed", "the worker was ended by SIGKILL"), ("hangs", "nothing for 1 s"), ("out-of-memory", "out of memory")],
)
def test_the_limit_is_put_back_when_the_work_dies(start: Start, changed: Changed, fault: str, said: str) -> None:
    process = start(machines.answers(1, gpu0=GPU), *QUICK, "--yes", "--patience", "1", faults={uuid(0): fault})
    found = answer(process)
    assert found["code"] == 2
    assert "4 of 8 settings" in found["checks"]["sweep"]["measured"]
    assert said in found["checks"]["sweep"]["measured"]
    assert found["checks"]["restored"]["status"] == "ok"
    assert changed()[-1] == "0.power_limit 450000"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_limit_is_put_back_when_it_is_stopped(start: Start, changed: Changed, number: signal.Signals) -> None:
    process = start(machines.answers(1, gpu0=GPU), "tune", "--seconds", "1", "--json", "--yes")
    wait_for(lambda: len(changed()) > 3)
    process.send_signal(number)
    process.send_signal(number)
    found = answer(process)
    assert (found["code"], found["interrupted"]) == (128 + number, True)
    assert found["checks"]["sweep"]["status"] == "warning"
    assert changed()[-1] == "0.power_limit 450000"


def test_the_limit_is_put_back_when_the_doctor_itself_is_killed(start: Start, changed: Changed) -> None:
    process = start(machines.answers(1, gpu0=GPU), "tune", "--seconds", "1", "--clocks", "--yes")
    wait_for(lambda: len(changed()) > 3)
    process.kill()
    process.wait()
    wait_for(lambda: changed()[-1] == "0.power_limit 450000")


def test_a_limit_that_cannot_be_put_back_is_said_with_the_command(start: Start, tmp_path: Path) -> None:
    process = start(machines.answers(1, gpu0=GPU), *QUICK, "--yes")
    wait_for(lambda: (tmp_path / "mock.set").exists())
    time.sleep(3)
    with (tmp_path / "mock").open("a") as stream:
        stream.write("0.denied !4\n")
    found = answer(process)
    assert found["checks"]["restored"]["status"] == "failed"
    assert found["checks"]["restored"]["fix"] == f"sudo nvidia-smi --id={uuid(0)} --power-limit=450"


def test_without_root_nothing_is_measured_and_sudo_is_named(start: Start, changed: Changed) -> None:
    found = answer(start(machines.answers(1, gpu0={**GPU, "denied": "!4"}), *QUICK, "--yes"))
    assert found["code"] == 2
    assert "it needs root" in found["checks"]["sweep"]["measured"]
    assert "sudo" in found["checks"]["sweep"]["fix"]
    assert changed() == []


def test_a_card_with_fixed_limits_is_one_line(start: Start) -> None:
    process = start(machines.answers(1, gpu0={"power_min": None}), *QUICK, "--yes")
    _, complaint = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "no limit that could be changed" in complaint


def test_apply_makes_the_choice_last_and_undo_takes_it_back(
    start: Start, changed: Changed, root: Path, units: Callable[[], list[str]]
) -> None:
    told = machines.answers(1, gpu0=GPU)
    found = answer(start(told, *QUICK, "--apply"))
    name = f"rigforge-power-limit-{uuid(0)}.service"
    assert found["gpus"][0]["applied"], found["checks"]["applied"]
    assert changed()[-1] == "0.power_limit 360000"
    assert units() == [name]
    text = (root / "etc/systemd/system" / name).read_text()
    assert f"ExecStart={root}/bin/nvidia-smi --id={uuid(0)} --power-limit=360\n" in text
    assert "WantedBy=multi-user.target" in text
    assert (root / "systemctl.log").read_text().splitlines() == ["daemon-reload", f"enable {name}", f"restart {name}"]

    process = start(told, "tune", "--undo")
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "the limit is 450 W, the card's default" in said
    assert units() == []
    assert changed()[-1] == "0.power_limit 450000"
    assert f"disable --now {name}" in (root / "systemctl.log").read_text()


def test_a_unit_that_does_not_start_is_not_left_behind(
    start: Start, changed: Changed, root: Path, units: Callable[[], list[str]]
) -> None:
    machines.write(root / "systemctl.fails", "restart")
    found = answer(start(machines.answers(1, gpu0=GPU), *QUICK, "--apply"))
    assert found["checks"]["applied"]["status"] == "failed"
    assert "it failed" in found["checks"]["applied"]["measured"]
    assert units() == []
    assert changed()[-1] == "0.power_limit 450000"


def test_without_persistence_mode_it_is_said_that_the_limit_is_lost(start: Start) -> None:
    found = answer(start(machines.answers(1, gpu0={**GPU, "persistence": 0}), *QUICK, "--apply"))
    assert found["checks"]["applied"]["status"] == "warning"
    assert "nvidia-persistenced" in found["checks"]["applied"]["fix"]


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
